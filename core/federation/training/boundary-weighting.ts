import { BOUNDARY_FLOOR } from '../constants';

/**
 * Weight of a training sample by the incoming champion's error e in tolerances: 0.3 + exp(−((|e| − 1)/width)²). Accuracy rewards moving
 * samples near the boundary between right and wrong; clear hits need no help, and clear misses cannot be helped.
 */
export function boundaryWeight(error: number, width: number): number {
  return BOUNDARY_FLOOR + Math.exp(-(((Math.abs(error) - 1) / width) ** 2));
}

/**
 * Replace the flags in `weights[from, from + rows)` (1 = a sample, 0 = padding) of one device by boundary weights with mean 1 over its
 * samples, so that the device's learning rate stays the same. `errors` are the champion's on the same places.
 */
export function applyBoundaryWeights(
  weights: Float32Array,
  errors: Float32Array,
  from: number,
  rows: number,
  width: number,
): void {
  let sum = 0;
  let samples = 0;
  for (let at = from; at < from + rows; at += 1) {
    if (weights[at] === 0) continue;
    const weight = boundaryWeight(errors[at] ?? NaN, width);
    weights[at] = weight;
    sum += weight;
    samples += 1;
  }
  for (let at = from; at < from + rows; at += 1) weights[at] = ((weights[at] ?? 0) * samples) / sum;
}
