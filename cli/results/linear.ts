import { type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { type Query } from '../../core/warehouse/database/query';
import { type Cutoff } from './cutoff';
import { queryLinearPairs } from './queries';
import { changeOf } from './scores';
import { type LinearFigures } from './summary-schema';

/** How the linear models of rounds since `first` did beside the networks; null where none was measured beside one. */
export async function queryLinear(
  query: Query,
  first: number,
  cutoff: Cutoff,
): Promise<LinearFigures | null> {
  return linearFigures([...(await queryLinearPairs(query, first, { cutoff })).values()]);
}

/** @param rounds by round, its linear model as the candidate and the elected network as the champion */
export function linearFigures(rounds: readonly (readonly PairedCluster[])[]): LinearFigures | null {
  const measured = rounds.filter((clusters) => clusters.some(({ n }) => n > 0));
  const clusters = measured.flat();
  const difference = changeOf(clusters);
  if (difference === null) return null;
  const sumOf = (count: (cluster: PairedCluster) => number): number =>
    clusters.reduce((sum, cluster) => sum + count(cluster), 0);
  const evaluations = sumOf(({ n }) => n);
  return {
    rounds: measured.length,
    evaluations,
    accuracy: sumOf(({ candidateCorrect }) => candidateCorrect) / evaluations,
    networkAccuracy: sumOf(({ championCorrect }) => championCorrect) / evaluations,
    difference: difference.mean,
    differenceCi95: [difference.low, difference.high],
  };
}
