import { type PairedCluster, type ScoredCluster } from '../../../core/federation/promotion/cluster-interval';

/** 10 clusters × `windows`; of 100 forecasts each the candidate has `gain(cluster, window)` more right than the champion. */
export function pairedClusters(
  windows: number,
  gain: (cluster: number, window: number) => number,
): PairedCluster[] {
  return Array.from({ length: 10 * windows }, (_, at) => {
    const cluster = at % 10;
    const window = Math.floor(at / 10);
    return {
      cluster: `s${cluster}`,
      windowStart: window * 30,
      n: 100,
      championCorrect: 80,
      candidateCorrect: 80 + gain(cluster, window),
    };
  });
}

/** The same with soft scores that go by right and wrong alone. */
export function scoredClusters(...args: Parameters<typeof pairedClusters>): ScoredCluster[] {
  return pairedClusters(...args).map((pair) => ({
    ...pair,
    candidateScore: pair.candidateCorrect,
    championScore: pair.championCorrect,
  }));
}
