import { softCorrect } from '../../core/contracts/soft-score';
import { type ScoredCluster } from '../../core/federation/promotion/cluster-interval';
import { isCorrect } from '../../core/federation/training/samples';
import { type Random } from '../../core/platform/random';
import { WATCHED_WINDOWS, type Errors, type RecordedFleet } from './record';

/** Two versions on some of a fleet's devices, window by window. */
export interface PairedSeries {
  /** Clusters of each watched window. */
  readonly windows: readonly (readonly ScoredCluster[])[];
  /** Right forecasts of persistence of each window. */
  readonly persistenceCorrect: readonly number[];
  /** Over all watched windows, candidate − champion: what a few of them are to find out. */
  readonly trueChange: number;
  readonly trueScoreChange: number;
}

/** A cluster that is still added to. */
type OpenSum = { -readonly [Field in keyof ScoredCluster]: ScoredCluster[Field] };

/** A pair of versions of a fleet on a sample of its devices. */
export function drawSeries(fleets: readonly RecordedFleet[], devices: number, random: Random): PairedSeries {
  const fleet = pick(fleets, random);
  const { candidate, champion } = pick(fleet.pairs, random);
  const places = Int32Array.from(fleet.clusters, (_, place) => place);
  random.shuffle(places);
  return seriesOf(fleet, places.subarray(0, devices), { candidate, champion });
}

/** Any fleet's versions beside one another, such as a champion beside persistence. */
export function seriesOf(
  { clusters, persistence }: RecordedFleet,
  places: Int32Array,
  { candidate, champion }: { readonly candidate: Errors; readonly champion: Errors },
): PairedSeries {
  const windows: ScoredCluster[][] = [];
  const persistenceCorrect: number[] = [];
  for (let window = 0; window < WATCHED_WINDOWS; window += 1) {
    const sums = new Map<string, OpenSum>();
    let floor = 0;
    for (const place of places) {
      const at = place * WATCHED_WINDOWS + window;
      const [own, other] = [candidate[at] ?? NaN, champion[at] ?? NaN];
      if (Number.isNaN(own) || Number.isNaN(other)) continue;
      const cluster = clusters[place] ?? '';
      const sum = sums.get(cluster) ?? emptySum(cluster, window);
      sum.n += 1;
      sum.candidateCorrect += isCorrect(own);
      sum.championCorrect += isCorrect(other);
      sum.candidateScore += softCorrect(own);
      sum.championScore += softCorrect(other);
      sums.set(cluster, sum);
      floor += isCorrect(persistence[at] ?? NaN);
    }
    windows.push([...sums.values()]);
    persistenceCorrect.push(floor);
  }
  const all = windows.flat();
  const n = total(all, ({ n }) => n);
  return {
    windows,
    persistenceCorrect,
    trueChange: total(all, (sum) => sum.candidateCorrect - sum.championCorrect) / n,
    trueScoreChange: total(all, (sum) => sum.candidateScore - sum.championScore) / n,
  };
}

/**
 * The windows from one on, of a candidate that is better by `change` (accuracy, 0 to 1) in the long run: real errors of real versions, moved.
 */
export function movedTo(series: PairedSeries, change: number, from: number, count: number): ScoredCluster[] {
  const byAccuracy = change - series.trueChange;
  const byScore = change - series.trueScoreChange;
  return series.windows.slice(from, from + count).flatMap((sums) =>
    sums.map((sum) => ({
      ...sum,
      candidateCorrect: sum.candidateCorrect + sum.n * byAccuracy,
      candidateScore: sum.candidateScore + sum.n * byScore,
    })),
  );
}

function emptySum(cluster: string, windowStart: number): OpenSum {
  return {
    cluster,
    windowStart,
    n: 0,
    candidateCorrect: 0,
    championCorrect: 0,
    candidateScore: 0,
    championScore: 0,
  };
}

export function total<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}

function pick<Item>(items: readonly Item[], random: Random): Item {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new RangeError('nothing was recorded');
  return item;
}
