import { type LocalUpdate, type WeightedMean } from './strategy';

/** Per coordinate: sort the n values, drop the `trim` smallest and largest, take the mean of the rest. 2·trim < n. */
export function meanOfMiddle(
  updates: readonly Pick<LocalUpdate, 'delta'>[],
  parameters: number,
  trim: number,
): WeightedMean {
  return meanOfKept(updates, parameters, ({ length }) => [trim, length - trim]);
}

/**
 * Per coordinate: sort the n values and take the mean of a range of them. A robust rule has no weights: those returned are the share of all kept
 * coordinates that came from each update.
 * @param rangeOf the places of the sorted values that are kept, at least one: from the first up to the second, which is not one of them
 */
export function meanOfKept(
  updates: readonly Pick<LocalUpdate, 'delta'>[],
  parameters: number,
  rangeOf: (sorted: Float64Array) => readonly [number, number],
): WeightedMean {
  const count = updates.length;
  const delta = new Float32Array(parameters);
  const weights = new Float64Array(count);
  const column = new Float64Array(count);
  for (let at = 0; at < parameters; at += 1) {
    updates.forEach((update, index) => (column[index] = update.delta[at] ?? NaN));
    const sorted = column.slice().sort();
    const [from, until] = rangeOf(sorted);
    let sum = 0;
    for (let place = from; place < until; place += 1) sum += sorted[place] ?? NaN;
    delta[at] = sum / (until - from);
    shareOut(column, sorted[from] ?? NaN, sorted[until - 1] ?? NaN, weights);
  }
  return { delta, weights: weights.map((weight) => weight / parameters) };
}

/** One coordinate's weight, split evenly over the updates whose value lies between the smallest and largest kept. */
function shareOut(column: Float64Array, smallest: number, largest: number, weights: Float64Array): void {
  const isKept = (value: number): boolean => value >= smallest && value <= largest;
  const share = 1 / column.filter(isKept).length;
  column.forEach((value, index) => {
    if (isKept(value)) weights[index] = (weights[index] ?? 0) + share;
  });
}
