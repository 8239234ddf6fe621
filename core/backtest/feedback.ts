import { type Feedback } from '../contracts/feedback';
import { FIRST_VERSION, type VersionId } from '../contracts/ids';
import { type EvaluatedRow } from './tally';

const unknown = { n: 0, n_correct: 0, accuracy: null };

/** Feedback of a round in which nothing was measured. */
export const UNMEASURED: Feedback = {
  type: 'feedback',
  scope: 'round',
  round: null,
  model_version: FIRST_VERSION,
  window_start: 0,
  window_end: 0,
  n: 0,
  n_correct: 0,
  accuracy: 0,
  skill: null,
  mae: 0,
  rmse: 0,
  bias: 0,
  calibration: 0,
  persistence_accuracy: 0,
  tolerance: 1,
  by_regime: { normal: unknown, anomalous: unknown, rising: unknown, falling: unknown, steady: unknown },
  anomalies: {
    true_positive: 0,
    false_positive: 0,
    false_negative: 0,
    true_negative: 0,
    tendency: 'unknown',
  },
  worst_devices: [],
};

/** Feedback on a version's rows, as far as training follows it; null without rows. */
export function feedbackOn(
  rows: readonly EvaluatedRow[],
  version: VersionId,
  tolerance: number,
): Feedback | null {
  const n = rows.length;
  if (n === 0) return null;
  const meanOf = (value: (row: EvaluatedRow) => number): number =>
    rows.reduce((sum, row) => sum + value(row), 0) / n;
  const correct = rows.filter((row) => row.correct).length;
  return {
    ...UNMEASURED,
    model_version: version,
    n,
    n_correct: correct,
    accuracy: correct / n,
    mae: meanOf(({ error }) => Math.abs(error)),
    bias: meanOf(({ error }) => error),
    tolerance,
  };
}
