import quantile from '@stdlib/stats-base-dists-t-quantile';
import { type Interval } from '../../contracts/rounds';
import { type Micros } from '../../contracts/time';

/** Correct forecasts of two versions on the same device-windows, summed over the devices of one stretch in one window. */
export interface PairedCluster {
  /** Recorded stretch that the devices replay, or the device itself. */
  readonly slot: string;
  readonly windowStart: Micros;
  readonly n: number;
  readonly candidateCorrect: number;
  readonly championCorrect: number;
}

/** The same for one version. */
export interface AccuracyCluster {
  readonly slot: string;
  readonly windowStart: Micros;
  readonly n: number;
  readonly correct: number;
}

/** A sum over n device-windows that belong together. */
interface Cluster {
  readonly slot: string;
  readonly windowStart: Micros;
  readonly n: number;
  readonly sum: number;
}

/** Differences of accuracy lie between these: what an interval says when nothing is known. */
const DIFFERENCE_RANGE = [-1, 1] as const;
const ACCURACY_RANGE = [0, 1] as const;

/**
 * Change of accuracy (0 to 1), candidate − champion, paired on the same device-windows, with a two-sided interval. Devices of one stretch,
 * and devices in one window, see the same weather: the standard error is computed robust to either kind of cluster, and the wider of the
 * two intervals counts. With fewer than two clusters of both kinds the interval is all there can be.
 */
export function pairedChange(clusters: readonly PairedCluster[], confidence: number): Interval {
  return clusterInterval(
    clusters.map(({ slot, windowStart, n, candidateCorrect, championCorrect }) => ({
      slot,
      windowStart,
      n,
      sum: candidateCorrect - championCorrect,
    })),
    confidence,
    DIFFERENCE_RANGE,
  );
}

/** Accuracy (0 to 1) of one version with its interval, clustered in the same way. */
export function accuracyInterval(clusters: readonly AccuracyCluster[], confidence: number): Interval {
  return clusterInterval(
    clusters.map(({ slot, windowStart, n, correct }) => ({ slot, windowStart, n, sum: correct })),
    confidence,
    ACCURACY_RANGE,
  );
}

function clusterInterval(
  clusters: readonly Cluster[],
  confidence: number,
  [least, most]: readonly [number, number],
): Interval {
  const n = clusters.reduce((total, cluster) => total + cluster.n, 0);
  if (n === 0) return { mean: 0, low: least, high: most };
  const mean = clusters.reduce((total, cluster) => total + cluster.sum, 0) / n;
  const bySlot = halfWidth(clusters, ({ slot }) => slot, mean, n, confidence);
  const byWindow = halfWidth(clusters, ({ windowStart }) => windowStart, mean, n, confidence);
  const half = Math.max(bySlot ?? 0, byWindow ?? 0);
  if (bySlot === null && byWindow === null) return { mean, low: least, high: most };
  return { mean, low: Math.max(least, mean - half), high: Math.min(most, mean + half) };
}

/**
 * Half the width of a cluster-robust interval of a ratio of sums: residual of cluster g is u_g = sum_g − mean·n_g, and
 * SE² = G/(G − 1) · Σ u_g² / n² (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", with the t quantile of G − 1 degrees of
 * freedom that they advise for few clusters). Null for fewer than two clusters.
 */
function halfWidth(
  clusters: readonly Cluster[],
  keyOf: (cluster: Cluster) => string | number,
  mean: number,
  n: number,
  confidence: number,
): number | null {
  const residuals = new Map<string | number, number>();
  for (const cluster of clusters) {
    const key = keyOf(cluster);
    residuals.set(key, (residuals.get(key) ?? 0) + cluster.sum - mean * cluster.n);
  }
  const groups = residuals.size;
  if (groups < 2) return null;
  let squares = 0;
  for (const residual of residuals.values()) squares += residual * residual;
  const standardError = Math.sqrt((groups / (groups - 1)) * squares) / n;
  return quantile(0.5 + confidence / 2, groups - 1) * standardError;
}
