import quantile from '@stdlib/stats-base-dists-t-quantile';
import { mean } from '../../core/federation/vectors';
import { type Played } from './score';

/** A mean over seeds with its two-sided 95 % interval (Student's t); no interval for one seed. */
export interface Estimate {
  readonly mean: number;
  readonly low: number | null;
  readonly high: number | null;
  readonly seeds: number;
}

export function estimate(values: readonly number[]): Estimate {
  const centre = mean(values);
  const n = values.length;
  if (n < 2) return { mean: centre, low: null, high: null, seeds: n };
  const variance = values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (n - 1);
  const half = quantile(0.975, n - 1) * Math.sqrt(variance / n);
  return { mean: centre, low: centre - half, high: centre + half, seeds: n };
}

/** Accuracy in percent over live windows `from` to before `until`. */
export function accuracyOf(
  { correct, counted, healthyCorrect, healthyCounted }: Played,
  from: number,
  until: number,
  who: 'all' | 'healthy' = 'all',
): number {
  const [right, all] = who === 'all' ? [correct, counted] : [healthyCorrect, healthyCounted];
  const sum = (of: Float64Array): number =>
    of.subarray(from, until).reduce((total, value) => total + value, 0);
  return (100 * sum(right)) / sum(all);
}
