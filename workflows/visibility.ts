import { upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { type VersionId } from '../core/contracts/ids';
import { type FederatedRoundResult, type Decision } from '../core/contracts/rounds';
import { SEARCH_ATTRIBUTES } from '../core/contracts/search-attributes';

const VERSION = defineSearchAttributeKey(SEARCH_ATTRIBUTES.version.name, SEARCH_ATTRIBUTES.version.type);
const STAGE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.stage.name, SEARCH_ATTRIBUTES.stage.type);
const ACCURACY = defineSearchAttributeKey(SEARCH_ATTRIBUTES.accuracy.name, SEARCH_ATTRIBUTES.accuracy.type);

/** A round in Temporal's list of workflows, where the namespace knows the search attributes. */
export interface Visibility {
  candidate(version: VersionId): void;
  decided(version: VersionId, decision: Decision, accuracy: number): void;
}

export function visibility(searchAttributes: boolean): Visibility {
  return {
    candidate(version) {
      if (!searchAttributes) return;
      upsertSearchAttributes([
        { key: VERSION, value: version },
        { key: STAGE, value: 'candidate' },
      ]);
    },
    decided(version, decision, accuracy) {
      if (!searchAttributes) return;
      upsertSearchAttributes([
        { key: VERSION, value: version },
        { key: STAGE, value: decision === 'promoted' ? 'champion' : 'rejected' },
        { key: ACCURACY, value: accuracy },
      ]);
    },
  };
}

/** The round's outcome as the workflow's memo: readable without its history, in any namespace. */
export function rememberResult({
  round,
  version,
  champion,
  decision,
  reason,
  strategy,
  candidate,
}: FederatedRoundResult): void {
  upsertMemo({ round, version, champion, decision, reason, strategy, accuracy: candidate.accuracy });
}
