import { patched, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { type VersionId } from '../core/contracts/ids';
import { type Decision } from '../core/contracts/decisions';
import { type FederatedRoundResult } from '../core/contracts/rounds';
import { SEARCH_ATTRIBUTES } from '../core/contracts/search-attributes';

const VERSION = defineSearchAttributeKey(SEARCH_ATTRIBUTES.version.name, SEARCH_ATTRIBUTES.version.type);
const STAGE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.stage.name, SEARCH_ATTRIBUTES.stage.type);
const ACCURACY = defineSearchAttributeKey(SEARCH_ATTRIBUTES.accuracy.name, SEARCH_ATTRIBUTES.accuracy.type);

/** A round in Temporal's list of workflows, where the namespace knows the search attributes. */
export interface Visibility {
  candidate(version: VersionId): void;
  decided(version: VersionId, decision: Decision, accuracy: number): void;
  /** The round ended early: its version is no candidate any more. */
  withdrawn(): void;
}

export function visibility(searchAttributes: boolean): Visibility {
  let isCandidate = false;
  return {
    candidate(version) {
      if (!searchAttributes) return;
      isCandidate = true;
      upsertSearchAttributes([
        { key: VERSION, value: version },
        { key: STAGE, value: 'candidate' },
      ]);
    },
    decided(version, decision, accuracy) {
      if (!searchAttributes) return;
      isCandidate = false;
      upsertSearchAttributes([
        { key: VERSION, value: version },
        { key: STAGE, value: decision === 'promoted' ? 'champion' : 'rejected' },
        { key: ACCURACY, value: accuracy },
      ]);
    },
    withdrawn() {
      if (isCandidate && patched('stage-is-withdrawn')) upsertSearchAttributes([{ key: STAGE, value: null }]);
    },
  };
}

const SCHEDULED_BY = defineSearchAttributeKey('TemporalScheduledById', 'KEYWORD');

/** Who or what has started this run, as far as Temporal tells a workflow: a program's memo, a schedule, another workflow. */
export function startedBy(): string {
  const { memo, parent, typedSearchAttributes } = workflowInfo();
  const named = memo?.['startedBy'];
  if (typeof named === 'string' && named !== '') return named;
  const schedule = typedSearchAttributes.get(SCHEDULED_BY);
  if (schedule !== undefined) return `the schedule ${schedule}`;
  return parent === undefined ? 'somebody by hand' : `the workflow ${parent.workflowId}`;
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
