import { type Feedback } from '../../core/contracts/feedback';
import { FIRST_VERSION } from '../../core/contracts/ids';
import { type Score } from './score';

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

/** Feedback on the closed windows of the last round, by the version that served them; null before the first. */
export function feedbackOf(score: Score, closed: number, windows: number): Feedback | null {
  const from = Math.max(0, closed - windows);
  const sum = (of: Float64Array): number =>
    of.subarray(from, closed).reduce((total, value) => total + value, 0);
  const n = sum(score.counted);
  if (n === 0) return null;
  const correct = sum(score.correct);
  return {
    ...UNMEASURED,
    window_start: from,
    window_end: closed,
    n,
    n_correct: correct,
    accuracy: correct / n,
    mae: sum(score.absoluteError) / n,
  };
}
