import quantile from '@stdlib/stats-base-dists-t-quantile';
import { type Interval } from '../../contracts/rounds';
import { type Micros } from '../../contracts/time';
import { errorOfWindowMeans, type StandardError } from './window-error';

/** n device-windows of one cluster in one window. */
export interface ClusterCount {
  /** The cluster that the devices belong to: all that see the same weather, or a device alone. */
  readonly cluster: string;
  readonly windowStart: Micros;
  readonly n: number;
}

/** Correct forecasts of two versions on the same device-windows. */
export interface PairedCluster extends ClusterCount {
  readonly candidateCorrect: number;
  readonly championCorrect: number;
}

/** The same with their soft scores, summed: finer than right and wrong. */
export interface ScoredCluster extends PairedCluster {
  readonly candidateScore: number;
  readonly championScore: number;
}

/** The sums of device-windows by cluster and by window alone, which is all that an interval needs; what was summed over has any value. */
export interface Margins<Cluster extends ClusterCount> {
  readonly byCluster: readonly Cluster[];
  readonly byWindow: readonly Cluster[];
}

/** Range of a difference of accuracies, and of an accuracy: the interval where nothing is known. */
export const DIFFERENCE_RANGE = [-1, 1] as const;
const ACCURACY_RANGE = [0, 1] as const;

/** A handful of forecasts that all came out alike does not show that the next one will: a count is uncertain by one at least. */
const LEAST_COUNT_ERROR = 1;

/** Standard errors that an interval reaches to either side, by the degrees of freedom that they are known with. */
export type Reach = (degreesOfFreedom: number) => number;

/**
 * Change of accuracy (0 to 1), candidate − champion, paired on the same device-windows, with a two-sided interval. Devices of one cluster, and
 * devices in one window, see the same weather, and so do neighbouring windows: the standard error is computed robust to clusters and to
 * windows, and the wider of the two intervals counts. With fewer than three windows the interval is the whole range: too few to say.
 */
export function pairedChange(clusters: readonly PairedCluster[], confidence: number): Interval {
  return pairedChangeOf({ byCluster: clusters, byWindow: clusters }, confidence);
}

/** The same of sums by cluster and by window. */
export function pairedChangeOf(margins: Margins<PairedCluster>, confidence: number): Interval {
  const difference = (pair: PairedCluster): number => pair.candidateCorrect - pair.championCorrect;
  return marginsInterval(margins, difference, twoSided(confidence), DIFFERENCE_RANGE, LEAST_COUNT_ERROR);
}

/**
 * Accuracy (0 to 1) of one version with its interval, clustered in the same way.
 * @param correctOf how many of the version's n forecasts of a cluster were right
 */
export function accuracyInterval<Cluster extends ClusterCount>(
  clusters: readonly Cluster[],
  correctOf: (cluster: Cluster) => number,
  confidence: number,
): Interval {
  return clusterInterval(clusters, correctOf, twoSided(confidence), ACCURACY_RANGE, LEAST_COUNT_ERROR);
}

/** The t interval that covers with this confidence. */
function twoSided(confidence: number): Reach {
  return (degreesOfFreedom) => quantile(0.5 + confidence / 2, degreesOfFreedom);
}

/**
 * Mean of sums a device-window, with the interval that `reach` gives it, within the range of what is possible.
 * @param leastError the least standard error of the whole sum
 */
export function clusterInterval<Cluster extends ClusterCount>(
  clusters: readonly Cluster[],
  sumOf: (cluster: Cluster) => number,
  reach: Reach,
  range: readonly [number, number],
  leastError = 0,
): Interval {
  return marginsInterval({ byCluster: clusters, byWindow: clusters }, sumOf, reach, range, leastError);
}

function marginsInterval<Cluster extends ClusterCount>(
  { byCluster: clusters, byWindow: windowed }: Margins<Cluster>,
  sumOf: (cluster: Cluster) => number,
  reach: Reach,
  [lowest, highest]: readonly [number, number],
  leastError: number,
): Interval {
  const n = windowed.reduce((total, cluster) => total + cluster.n, 0);
  if (n === 0) return { mean: 0, low: lowest, high: highest };
  const mean = windowed.reduce((total, cluster) => total + sumOf(cluster), 0) / n;
  const residualsBy = (
    sums: readonly Cluster[],
    keyOf: (cluster: Cluster) => string | number,
  ): readonly number[] => {
    const residuals = new Map<string | number, number>();
    for (const cluster of sums.toSorted((a, b) => a.windowStart - b.windowStart)) {
      const key = keyOf(cluster);
      residuals.set(key, (residuals.get(key) ?? 0) + sumOf(cluster) - mean * cluster.n);
    }
    return [...residuals.values()];
  };
  const byCluster = errorOfClusters(
    residualsBy(clusters, ({ cluster }) => cluster),
    n,
  );
  const windows = residualsBy(windowed, ({ windowStart }) => windowStart);
  const byWindow = errorOfWindowMeans(windows.map((residual) => (residual * windows.length) / n));
  if (byWindow === null) return { mean, low: lowest, high: highest };
  const half = Math.max(
    halfWidth(byWindow, reach, leastError / n),
    byCluster === null ? 0 : halfWidth(byCluster, reach, leastError / n),
  );
  return { mean, low: Math.max(lowest, mean - half), high: Math.min(highest, mean + half) };
}

function halfWidth({ standardError, degreesOfFreedom }: StandardError, reach: Reach, least: number): number {
  const errors = reach(degreesOfFreedom);
  // Infinitely many of none are not none: where nothing can be said, nothing is.
  return Number.isFinite(errors) ? errors * Math.max(standardError, least) : errors;
}

/**
 * Standard error of a ratio of sums, robust to clusters: residual of cluster g is u_g = sum_g − mean·n_g, and SE² = G/(G − 1) · Σ u_g² / n²
 * with G − 1 degrees of freedom (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference"). Null for fewer than two clusters.
 * @param residuals u_g, one a cluster
 */
function errorOfClusters(residuals: readonly number[], n: number): StandardError | null {
  const count = residuals.length;
  if (count < 2) return null;
  const squares = residuals.reduce((sum, residual) => sum + residual * residual, 0);
  return { standardError: Math.sqrt((count / (count - 1)) * squares) / n, degreesOfFreedom: count - 1 };
}
