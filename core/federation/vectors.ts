import { type FlatWeights } from '../model/types';

/**
 * Arithmetic on flat weights. All vectors of one call have the same length P; sums run in double precision.
 */

/** Euclidean norm. */
export function norm(vector: FlatWeights): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}

/** Scalar product. */
export function dot(one: FlatWeights, other: FlatWeights): number {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) sum += (one[at] ?? NaN) * (other[at] ?? NaN);
  return sum;
}

/** Squared Euclidean distance. */
export function squaredDistance(one: FlatWeights, other: FlatWeights): number {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) {
    const difference = (one[at] ?? NaN) - (other[at] ?? NaN);
    sum += difference * difference;
  }
  return sum;
}

/** one + other, as a new vector. */
export function plus(one: FlatWeights, other: FlatWeights): FlatWeights {
  return one.map((value, at) => value + (other[at] ?? NaN));
}

/** factor · vector, as a new vector. */
export function times(vector: FlatWeights, factor: number): FlatWeights {
  return vector.map((value) => value * factor);
}

/** Σ weights[i] · delta of update i [P]; a delta of weight 0 is not touched, even where it is not finite. */
export function weightedSum(
  updates: readonly { readonly delta: FlatWeights }[],
  weights: ArrayLike<number>,
  parameters: number,
): FlatWeights {
  const sum = new Float64Array(parameters);
  updates.forEach(({ delta }, index) => {
    addScaled(sum, delta, weights[index] ?? 0);
  });
  return Float32Array.from(sum);
}

/** sum += factor · row, in place; the building block of means that are taken chunk by chunk. */
export function addScaled(sum: Float64Array, row: FlatWeights | Float64Array, factor: number): void {
  if (factor === 0) return;
  for (let at = 0; at < sum.length; at += 1) sum[at] = (sum[at] ?? NaN) + factor * (row[at] ?? NaN);
}

/** Of vectors of one length, term by term; empty of none. */
export function sumOfVectors(vectors: readonly (readonly number[])[]): number[] {
  return (vectors[0] ?? []).map((_, at) => vectors.reduce((sum, vector) => sum + (vector[at] ?? NaN), 0));
}

export function isFiniteVector(vector: readonly number[] | Float32Array | Float64Array): boolean {
  for (const value of vector) if (!Number.isFinite(value)) return false;
  return true;
}

/** Non-negative weights that add up to 1; all zero gives equal weights. */
export function normalised(weights: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(weights);
  let total = 0;
  for (const weight of result) total += weight;
  return total > 0 ? result.map((weight) => weight / total) : result.fill(1 / Math.max(result.length, 1));
}

/** exp(value / temperature), normalised; shifted by the maximum so that nothing overflows. */
export function softmax(values: readonly number[], temperature: number): Float64Array {
  const largest = values.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
  return normalised(values.map((value) => Math.exp((value - largest) / temperature)));
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  return medianOfSorted(Float64Array.from(values).sort());
}

/** The same of values in ascending order. */
export function medianOfSorted(sorted: Float64Array): number {
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
