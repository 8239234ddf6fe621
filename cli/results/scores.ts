import {
  accuracyInterval,
  pairedChange,
  type ClusterCount,
  type PairedCluster,
} from '../../core/federation/promotion/cluster-interval';
import { type Interval } from '../../core/contracts/rounds';

/** Confidence level of every interval in a report. */
export const CONFIDENCE = 0.95;

/** Sums over the rows of one version: devices of one cluster, in one window. */
export interface ScoreCluster extends ClusterCount {
  readonly correct: number;
  /** The same of forecasts as served. */
  readonly servedCorrect: number;
  /** Σ error and Σ |error| in the target's unit. */
  readonly error: number;
  readonly absoluteError: number;
  readonly persistenceAbsoluteError: number;
  readonly persistenceCorrect: number;
}

/** Figures of one version (or of persistence). Shares are from 0 to 1, errors in the target's unit. */
export interface Score {
  readonly evaluations: number;
  readonly windows: number;
  readonly accuracy: number;
  readonly servedAccuracy: number;
  readonly accuracyCi95: readonly [number, number];
  readonly bias: number;
  readonly mae: number;
  /** 1 − MAE / MAE of persistence; null where persistence makes no error. */
  readonly skill: number | null;
  readonly persistenceAccuracy: number;
}

/** A version's score from its sums; null without any. */
export function scoreOf(clusters: readonly ScoreCluster[]): Score | null {
  const total = (pick: (cluster: ScoreCluster) => number): number =>
    clusters.reduce((sum, cluster) => sum + pick(cluster), 0);
  const evaluations = total(({ n }) => n);
  if (evaluations === 0) return null;
  const interval = accuracyInterval(clusters, ({ correct }) => correct, CONFIDENCE);
  const persistenceError = total(({ persistenceAbsoluteError }) => persistenceAbsoluteError);
  const absoluteError = total((cluster) => cluster.absoluteError);
  return {
    evaluations,
    windows: new Set(clusters.map(({ windowStart }) => windowStart)).size,
    accuracy: total(({ correct }) => correct) / evaluations,
    servedAccuracy: total(({ servedCorrect }) => servedCorrect) / evaluations,
    accuracyCi95: [interval.low, interval.high],
    bias: total(({ error }) => error) / evaluations,
    mae: absoluteError / evaluations,
    skill: persistenceError === 0 ? null : 1 - absoluteError / persistenceError,
    persistenceAccuracy: total(({ persistenceCorrect }) => persistenceCorrect) / evaluations,
  };
}

/** Candidate − champion on their common device-windows; null without any. */
export function changeOf(clusters: readonly PairedCluster[]): Interval | null {
  return clusters.some(({ n }) => n > 0) ? pairedChange(clusters, CONFIDENCE) : null;
}

/** What is left of sums when those of some devices are taken out: what the healthy ones did, given the faulty ones. */
export function withoutDevices<Cluster extends ClusterCount>(
  all: readonly Cluster[],
  some: readonly Cluster[],
  subtract: (from: Cluster, what: Cluster) => Cluster,
): readonly Cluster[] {
  const keyOf = ({ cluster, windowStart }: Cluster): string => `${windowStart}/${cluster}`;
  const taken = new Map<string, Cluster[]>();
  for (const cluster of some) taken.set(keyOf(cluster), [...(taken.get(keyOf(cluster)) ?? []), cluster]);
  return all
    .map((cluster) => (taken.get(keyOf(cluster)) ?? []).reduce(subtract, cluster))
    .filter(({ n }) => n > 0);
}

export function subtractScores(from: ScoreCluster, what: ScoreCluster): ScoreCluster {
  return {
    ...from,
    n: from.n - what.n,
    correct: from.correct - what.correct,
    servedCorrect: from.servedCorrect - what.servedCorrect,
    error: from.error - what.error,
    absoluteError: from.absoluteError - what.absoluteError,
    persistenceAbsoluteError: from.persistenceAbsoluteError - what.persistenceAbsoluteError,
    persistenceCorrect: from.persistenceCorrect - what.persistenceCorrect,
  };
}

export function subtractPairs(from: PairedCluster, what: PairedCluster): PairedCluster {
  return {
    ...from,
    n: from.n - what.n,
    candidateCorrect: from.candidateCorrect - what.candidateCorrect,
    championCorrect: from.championCorrect - what.championCorrect,
  };
}
