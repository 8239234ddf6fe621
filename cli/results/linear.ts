import { pairedChangeOf, type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { type Query } from '../../core/warehouse/database/query';
import { type Cutoff } from './cutoff';
import { queryLinearSums, type LinearSums } from './queries';
import { CONFIDENCE, subtractPairs, withoutDevices } from './scores';
import { type LinearFigures } from './summary-schema';

/** How the linear models of rounds since `first` did beside the networks; null where none was measured beside one. */
export async function queryLinear(
  query: Query,
  first: number,
  cutoff: Cutoff,
): Promise<LinearFigures | null> {
  return linearFigures(await queryLinearSums(query, first, { cutoff }));
}

/** @param sums linear models as candidates, the elected networks as champions */
export function linearFigures(sums: LinearSums): LinearFigures | null {
  const measured = sums.byModel.filter(({ n }) => n > 0);
  if (measured.length === 0) return null;
  const sumOf = (count: (pair: PairedCluster) => number): number =>
    measured.reduce((sum, pair) => sum + count(pair), 0);
  const evaluations = sumOf(({ n }) => n);
  const difference = pairedChangeOf(sums, CONFIDENCE);
  return {
    rounds: measured.length,
    evaluations,
    accuracy: sumOf(({ candidateCorrect }) => candidateCorrect) / evaluations,
    networkAccuracy: sumOf(({ championCorrect }) => championCorrect) / evaluations,
    difference: difference.mean,
    differenceCi95: [difference.low, difference.high],
  };
}

/** What is left of sums when those of some devices are taken out. */
export function linearWithout(all: LinearSums, some: LinearSums): LinearSums {
  return {
    byCluster: withoutDevices(all.byCluster, some.byCluster, subtractPairs),
    byWindow: withoutDevices(all.byWindow, some.byWindow, subtractPairs),
    byModel: withoutDevices(all.byModel, some.byModel, subtractPairs),
  };
}
