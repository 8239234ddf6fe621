import { type Feedback } from '../../core/contracts/feedback';
import { FIRST_VERSION } from '../../core/contracts/ids';
import { type Score } from './score';

/** What feedback says of the windows that are closed: of the last round's, by whoever served them; null before the first. */
export function feedbackOf(score: Score, closed: number, windows: number): Feedback | null {
  const from = Math.max(0, closed - windows);
  const sum = (of: Float64Array): number =>
    of.subarray(from, closed).reduce((total, value) => total + value, 0);
  const n = sum(score.counted);
  if (n === 0) return null;
  const unknown = { n: 0, n_correct: 0, accuracy: null };
  return {
    type: 'feedback',
    scope: 'round',
    round: null,
    model_version: FIRST_VERSION,
    window_start: from,
    window_end: closed,
    n,
    n_correct: sum(score.correct),
    accuracy: sum(score.correct) / n,
    skill: null,
    mae: sum(score.absoluteError) / n,
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
}
