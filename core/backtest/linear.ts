import { CholeskyDecomposition, Matrix } from 'ml-matrix';
import { type Samples } from '../federation/training/samples';

/** Ridge, a sample: features are scaled to a spread of 1, so that it only keeps near-equal lags apart. */
const RIDGE = 0.001;

/** A linear forecast: the change in tolerances is `weights` · features + the last weight. */
export interface LinearModel {
  readonly weights: Float64Array;
}

/** Least squares with a ridge on everything but the constant (Hoerl and Kennard 1970); null where the samples do not determine it. */
export function fitLinear({ x, y, count }: Samples): LinearModel | null {
  if (count === 0) return null;
  const inputs = x.length / count;
  const size = inputs + 1;
  const gram = Matrix.zeros(size, size);
  const moment = new Array<number>(size).fill(0);
  const row = new Float64Array(size);
  for (let sample = 0; sample < count; sample += 1) {
    row.set(x.subarray(sample * inputs, (sample + 1) * inputs));
    row[inputs] = 1;
    const actual = y[sample] ?? NaN;
    for (let one = 0; one < size; one += 1) {
      const value = row[one] ?? NaN;
      moment[one] = (moment[one] ?? NaN) + value * actual;
      for (let other = 0; other <= one; other += 1)
        gram.set(one, other, gram.get(one, other) + value * (row[other] ?? NaN));
    }
  }
  for (let one = 0; one < size; one += 1) {
    if (one < inputs) gram.set(one, one, gram.get(one, one) + RIDGE * count);
    for (let other = 0; other < one; other += 1) gram.set(other, one, gram.get(one, other));
  }
  const system = new CholeskyDecomposition(gram);
  if (!system.isPositiveDefinite()) return null;
  return { weights: Float64Array.from(system.solve(Matrix.columnVector(moment)).to1DArray()) };
}

/** Forecast change in tolerances from scaled features. */
export function forecastLinear({ weights }: LinearModel, features: Float32Array): number {
  const inputs = weights.length - 1;
  let sum = weights[inputs] ?? NaN;
  for (let at = 0; at < inputs; at += 1) sum += (weights[at] ?? NaN) * (features[at] ?? NaN);
  return sum;
}
