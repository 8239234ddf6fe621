import quantile from '@stdlib/stats-base-dists-t-quantile';
import { ROW_LIMITS } from '../../contracts/limits';

/** Sample standard deviation from a sum of squared deviations; 0 for one reading. */
export function sampleStddev(m2: number, count: number): number {
  return count > 1 ? Math.sqrt(m2 / (count - 1)) : 0;
}

/** The middle one of some numbers, of two the larger; NaN of none. Puts them in order. */
export function middleOf(numbers: Float64Array): number {
  return numbers.sort()[Math.floor(numbers.length / 2)] ?? NaN;
}

/** Largest |Z| = |x − mean| / stddev of a window's readings: that of the smallest or the largest one. 0 where stddev is 0. */
export function largestAbsZ(mean: number, stddev: number, min: number, max: number): number {
  return stddev > 0 ? Math.max(max - mean, mean - min) / stddev : 0;
}

/** Numbers of readings hardly vary within a fleet, so values are computed when needed and kept. */
const MAX_CACHED = 65_536;
const criticalValues = new Map<number, number>();

/**
 * Critical value of Grubbs' two-sided test for one outlier (1950; NIST/SEMATECH e-Handbook 1.3.5.17.1):
 * (n−1)/√n · √(t² / (n−2+t²)) with t the upper α/(2n) quantile of Student's distribution with n−2 degrees of freedom.
 * A sample whose largest |Z| exceeds it has an outlier.
 *
 * @param n readings, at least 3.
 */
export function grubbsCritical(n: number, alpha: number = ROW_LIMITS.grubbsAlpha): number {
  if (alpha !== ROW_LIMITS.grubbsAlpha) return computeCritical(n, alpha);
  const known = criticalValues.get(n);
  if (known !== undefined) return known;
  const value = computeCritical(n, alpha);
  if (criticalValues.size >= MAX_CACHED) criticalValues.clear();
  criticalValues.set(n, value);
  return value;
}

function computeCritical(n: number, alpha: number): number {
  // The lower tail, because small probabilities keep their digits there; only the square of t is needed.
  const t = quantile(alpha / (2 * n), n - 2);
  return ((n - 1) / Math.sqrt(n)) * Math.sqrt((t * t) / (n - 2 + t * t));
}
