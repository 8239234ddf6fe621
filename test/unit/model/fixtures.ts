import { type TrainingChunk } from '../../../core/model/epoch-plan';
import { type Batch } from '../../../bench/support/reference-network';
import { type NetworkShape } from '../../../core/model/types';
import { seededRandom, type Random } from '../../../core/platform/random';

export const SMALL: NetworkShape = { inputs: 5, hidden: 7 };

export function gaussians(size: number, random: Random): Float32Array {
  return Float32Array.from({ length: size }, () => random.normal());
}

/** Many numbers in no order that matters, cheaply. */
export function pattern(size: number): Float32Array {
  const values = new Float32Array(size);
  for (let at = 0; at < size; at += 1) values[at] = ((at * 7919) % 1013) / 500 - 1;
  return values;
}

/** Random rows of some devices; `ownRows` says how many each has before its padding. */
export function randomChunk(
  shape: NetworkShape,
  rows: number,
  ownRows: readonly number[],
  seed: number,
): TrainingChunk {
  const random = seededRandom(seed, 'chunk');
  const devices = ownRows.length;
  const sampleWeights = new Float32Array(devices * rows);
  ownRows.forEach((own, device) => {
    for (let row = 0; row < own; row += 1) sampleWeights[device * rows + row] = 0.5 + random.uniform();
  });
  return {
    devices,
    x: gaussians(devices * rows * shape.inputs, random),
    y: gaussians(devices * rows, random).map((value) => 2 * value),
    sampleWeights,
  };
}

export function largestDifference(one: ArrayLike<number>, other: ArrayLike<number>): number {
  expect(one.length).toBe(other.length);
  let largest = 0;
  for (let at = 0; at < one.length; at += 1) {
    const difference = Math.abs(one[at]! - other[at]!);
    largest = difference > largest || Number.isNaN(difference) ? difference : largest;
    if (Number.isNaN(largest)) return NaN;
  }
  return largest;
}

/** Gradient [P] of the training loss by central differences, in doubles throughout. */
export function slopesOf(shape: NetworkShape, at: Float32Array, batch: Batch, clip: number): number[] {
  const weights = Float64Array.from(at);
  const step = 1e-5;
  return [...weights.keys()].map((parameter) => {
    const weight = weights[parameter]!;
    weights[parameter] = weight + step;
    const above = exactLoss(shape, weights, batch, clip);
    weights[parameter] = weight - step;
    const below = exactLoss(shape, weights, batch, clip);
    weights[parameter] = weight;
    return (above - below) / (2 * step);
  });
}

function exactLoss(
  { inputs, hidden }: NetworkShape,
  weights: Float64Array,
  batch: Batch,
  clip: number,
): number {
  let total = 0;
  for (let row = 0; row < batch.rows; row += 1) {
    let output = weights.at(-1)!;
    for (let unit = 0; unit < hidden; unit += 1) {
      let sum = weights[inputs * hidden + unit]!;
      for (let input = 0; input < inputs; input += 1) {
        sum += batch.x[row * inputs + input]! * weights[input * hidden + unit]!;
      }
      output += Math.max(sum, 0) * weights[(inputs + 1) * hidden + unit]!;
    }
    const error = Math.abs(output - batch.y[row]!);
    total += (error <= clip ? error * error : 2 * clip * error - clip * clip) * batch.sampleWeights[row]!;
  }
  return total / batch.rows;
}
