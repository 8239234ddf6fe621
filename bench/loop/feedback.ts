import { UNMEASURED } from '../../core/backtest/feedback';
import { type Feedback } from '../../core/contracts/feedback';
import { type Score } from './score';

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
