import { type FeatureSums } from '../../contracts/site-reports';
import { featureCount, type FeatureTask, type Task } from '../../contracts/task';
import { addRow, emptyFeatureSums, mergeFeatureSums, writeFeatures } from '../../model/features';
import { fillHeldMeans } from '../../model/held-means';
import { type LeftOutReason } from '../../contracts/updates';
import { MIN_PARTS_TO_COMPARE, SCALING_OUTLIER, SUM_ROUNDING } from '../constants';
import { isFiniteVector, median } from '../vectors';
import { windowsRemembered, type WindowRing } from './window-ring';

/** Sums of every feature of all windows that the ring remembers of a device. */
export function featuresOf(ring: WindowRing, deviceId: string): FeatureSums {
  const { task, capacity } = ring;
  const sums = emptyFeatureSums(task);
  const until = ring.newestWindow(deviceId);
  if (until === undefined) return sums;
  const series = ring.seriesUntil(deviceId, until, capacity);
  fillHeldMeans(task, series);
  const row = new Float32Array(featureCount(task));
  for (let latest = 0; latest < capacity; latest += 1)
    if (writeFeatures(task, series, latest, row, 0)) addRow(sums, row, 0);
  return sums;
}

/**
 * Why a site's sums cannot come from the windows of so many devices, or null where they can: no more values than windows are remembered, and
 * (Σx)² ≤ n Σx².
 */
export function faultOfFeatureSums(
  { count, sum, sumOfSquares }: FeatureSums,
  task: Task,
  devices: number,
): LeftOutReason | null {
  const features = featureCount(task);
  if ([count, sum, sumOfSquares].some(({ length }) => length !== features)) return 'wrong-shape';
  if (!isFiniteVector([...count, ...sum, ...sumOfSquares])) return 'not-finite';
  const isPossible = count.every((n, feature) => {
    const squares = sumOfSquares[feature] ?? NaN;
    return (
      Number.isInteger(n) &&
      n >= 0 &&
      n <= devices * windowsRemembered(task) &&
      (sum[feature] ?? NaN) ** 2 <= n * squares * (1 + SUM_ROUNDING)
    );
  });
  return isPossible ? null : 'impossible-sums';
}

/**
 * The sums of all parts (devices of a site, or sites) together, without those whose features are unlike most others': by the mean, or by the
 * spread around it. Else one device of readings that jump by 50 degrees would shrink the inputs of all others, for as long as
 * the first version's scaling is used. A part without a feature is not judged by it.
 */
export function typicalSums(task: FeatureTask, parts: readonly FeatureSums[]): FeatureSums {
  const typical = parts.map(() => true);
  for (let feature = 0; feature < featureCount(task); feature += 1)
    for (const place of atypical(parts, feature)) typical[place] = false;
  return parts.filter((_, place) => typical[place]).reduce(mergeFeatureSums, emptyFeatureSums(task));
}

/** Places of the parts that are far from most in one feature. */
function atypical(parts: readonly FeatureSums[], feature: number): number[] {
  const known = parts.flatMap(({ count, sum, sumOfSquares }, place) => {
    const n = count[feature] ?? 0;
    if (n === 0) return [];
    const mean = (sum[feature] ?? 0) / n;
    return [{ place, mean, spread: Math.sqrt(Math.max(0, (sumOfSquares[feature] ?? 0) / n - mean * mean)) }];
  });
  if (known.length < MIN_PARTS_TO_COMPARE) return [];
  const middle = median(known.map(({ mean }) => mean));
  const within = median(known.map(({ spread }) => spread));
  const between = median(known.map(({ mean }) => Math.abs(mean - middle)));
  return known
    .filter(
      ({ mean, spread }) =>
        spread > SCALING_OUTLIER * within + between ||
        Math.abs(mean - middle) > SCALING_OUTLIER * (within + between),
    )
    .map(({ place }) => place);
}
