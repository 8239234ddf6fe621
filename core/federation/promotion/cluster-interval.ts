import quantile from '@stdlib/stats-base-dists-t-quantile';
import { type Interval } from '../../contracts/rounds';
import { type Micros } from '../../contracts/time';

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

/** Range of a difference of accuracies, and of an accuracy: the interval where nothing is known. */
const DIFFERENCE_RANGE = [-1, 1] as const;
const ACCURACY_RANGE = [0, 1] as const;

/**
 * Change of accuracy (0 to 1), candidate − champion, paired on the same device-windows, with a two-sided interval. Devices of one cluster,
 * and devices in one window, see the same weather: the standard error is computed robust to either, and the wider of the
 * two intervals counts. With fewer than two clusters and two windows the interval is the whole range.
 */
export function pairedChange(clusters: readonly PairedCluster[], confidence: number): Interval {
  const difference = (pair: PairedCluster): number => pair.candidateCorrect - pair.championCorrect;
  return clusterInterval(clusters, difference, confidence, DIFFERENCE_RANGE);
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
  return clusterInterval(clusters, correctOf, confidence, ACCURACY_RANGE);
}

function clusterInterval<Cluster extends ClusterCount>(
  clusters: readonly Cluster[],
  sumOf: (cluster: Cluster) => number,
  confidence: number,
  [lowest, highest]: readonly [number, number],
): Interval {
  const n = clusters.reduce((total, cluster) => total + cluster.n, 0);
  if (n === 0) return { mean: 0, low: lowest, high: highest };
  const mean = clusters.reduce((total, cluster) => total + sumOf(cluster), 0) / n;
  const halfWidths = [
    (cluster: Cluster): string | number => cluster.cluster,
    (cluster: Cluster): string | number => cluster.windowStart,
  ].flatMap((keyOf) => {
    const residuals = new Map<string | number, number>();
    for (const cluster of clusters) {
      const key = keyOf(cluster);
      residuals.set(key, (residuals.get(key) ?? 0) + sumOf(cluster) - mean * cluster.n);
    }
    return halfWidth([...residuals.values()], n, confidence) ?? [];
  });
  if (halfWidths.length === 0) return { mean, low: lowest, high: highest };
  const half = Math.max(...halfWidths);
  return { mean, low: Math.max(lowest, mean - half), high: Math.min(highest, mean + half) };
}

/**
 * Half the width of a cluster-robust interval of a ratio of sums: residual of cluster g is u_g = sum_g − mean·n_g, and
 * SE² = G/(G − 1) · Σ u_g² / n² (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", with the t quantile of G − 1 degrees of
 * freedom that they advise for few clusters). Null for fewer than two clusters.
 * @param residuals u_g, one a cluster
 */
function halfWidth(residuals: readonly number[], n: number, confidence: number): number | null {
  const count = residuals.length;
  if (count < 2) return null;
  const squares = residuals.reduce((sum, residual) => sum + residual * residual, 0);
  const standardError = Math.sqrt((count / (count - 1)) * squares) / n;
  return quantile(0.5 + confidence / 2, count - 1) * standardError;
}
