import { type VersionId } from '../../core/contracts/ids';
import { type Interval } from '../../core/contracts/rounds';
import { pairedChange } from '../../core/federation/promotion/cluster-interval';
import { type Query } from '../../core/warehouse/database/query';
import { queryPairs } from '../results/queries';
import { queryModelFile, queryVersion, type ModelVersion, type VersionName } from './repository';
import { weightDistance, type WeightDistance } from './weights';

const CONFIDENCE = 0.95;

interface DifferentField {
  readonly name: string;
  readonly one: unknown;
  readonly other: unknown;
}

/** Differences between two versions. */
export interface ModelDiff {
  readonly one: VersionId;
  readonly other: VersionId;
  /** Fields of the lineage that differ. */
  readonly fields: readonly DifferentField[];
  readonly feedback: readonly DifferentField[];
  /** Null for networks of different shapes. */
  readonly weights: WeightDistance | null;
  /** Accuracy of the first minus the second, paired; null where they share no device-window. */
  readonly live: {
    readonly change: Interval;
    readonly windows: number;
    readonly evaluations: number;
  } | null;
}

const COMPARED: readonly (readonly [string, (version: ModelVersion) => unknown])[] = [
  ['stage', ({ stage }) => stage],
  ['round', ({ round }) => round],
  ['strategy', ({ strategy }) => strategy],
  ['role', ({ role }) => role],
  ['parents', ({ parents }) => (parents ?? []).join(', ')],
  ['devices', ({ devices }) => devices],
  ['data from', ({ dataFrom }) => dataFrom],
  ['data until', ({ dataUntil }) => dataUntil],
  ['seed', ({ seed }) => seed],
];

export async function diffOf(query: Query, first: VersionName, second: VersionName): Promise<ModelDiff> {
  const one = await queryVersion(query, first);
  const other = await queryVersion(query, second);
  const pairs = await queryPairs(
    query,
    { candidate: one.version, champion: other.version },
    { cutoff: null },
  );
  const { model } = await queryModelFile(query, one.version);
  const { model: otherModel } = await queryModelFile(query, other.version);
  const used = one.feedbackUsed ?? {};
  const otherUsed = other.feedbackUsed ?? {};
  return {
    one: one.version,
    other: other.version,
    fields: different(COMPARED.map(([name, of]) => ({ name, one: of(one), other: of(other) }))),
    feedback: different(
      [...new Set([...Object.keys(used), ...Object.keys(otherUsed)])].map((name) => ({
        name,
        one: used[name] ?? null,
        other: otherUsed[name] ?? null,
      })),
    ),
    weights: weightDistance(model, otherModel),
    live:
      pairs.length === 0
        ? null
        : {
            change: pairedChange(pairs, CONFIDENCE),
            windows: new Set(pairs.map(({ windowStart }) => windowStart)).size,
            evaluations: pairs.reduce((sum, { n }) => sum + n, 0),
          },
  };
}

function different(fields: readonly DifferentField[]): DifferentField[] {
  return fields.filter(({ one, other }) => one !== other);
}
