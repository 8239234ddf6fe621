import { rowsIn } from './batch-predictor';
import { weightOffsets } from './network';
import { type FlatWeights, type NetworkShape } from './types';

/** Hidden units that are summed side by side: one sum alone would wait for each addition before the next. */
const UNITS_AT_ONCE = 4;

/** Hidden activations [S, hidden] of one model for scaled features x [S, inputs]: what the output layer is refitted on. */
export function hiddenActivations(shape: NetworkShape, weights: FlatWeights, x: Float32Array): Float32Array {
  const { inputs, hidden } = shape;
  const { b1 } = weightOffsets(shape);
  const samples = rowsIn(x, inputs, 'features');
  // Unit by unit, and filled up with units of zeros to a whole number of steps.
  const units = Math.ceil(hidden / UNITS_AT_ONCE) * UNITS_AT_ONCE;
  const biases = new Float64Array(units);
  const byUnit = new Float64Array(units * inputs);
  for (let unit = 0; unit < hidden; unit += 1) {
    biases[unit] = weights[b1 + unit] ?? NaN;
    for (let input = 0; input < inputs; input += 1)
      byUnit[unit * inputs + input] = weights[input * hidden + unit] ?? NaN;
  }
  const activations = new Float32Array(samples * hidden);
  const sums = new Float64Array(UNITS_AT_ONCE);
  for (let sample = 0; sample < samples; sample += 1) {
    for (let first = 0; first < hidden; first += UNITS_AT_ONCE) {
      let a = biases[first] ?? NaN;
      let b = biases[first + 1] ?? NaN;
      let c = biases[first + 2] ?? NaN;
      let d = biases[first + 3] ?? NaN;
      for (let input = 0; input < inputs; input += 1) {
        const value = x[sample * inputs + input] ?? NaN;
        const at = first * inputs + input;
        a += value * (byUnit[at] ?? NaN);
        b += value * (byUnit[at + inputs] ?? NaN);
        c += value * (byUnit[at + 2 * inputs] ?? NaN);
        d += value * (byUnit[at + 3 * inputs] ?? NaN);
      }
      sums[0] = a;
      sums[1] = b;
      sums[2] = c;
      sums[3] = d;
      const until = Math.min(UNITS_AT_ONCE, hidden - first);
      for (let unit = 0; unit < until; unit += 1)
        activations[sample * hidden + first + unit] = Math.max(sums[unit] ?? NaN, 0);
    }
  }
  return activations;
}

/** The network's output for a sample, of the activations of all samples [samples · hidden]. */
export function outputOf(
  shape: NetworkShape,
  weights: FlatWeights,
  activations: Float32Array,
  sample: number,
): number {
  const { hidden } = shape;
  const { w2, b2 } = weightOffsets(shape);
  let output = weights[b2] ?? NaN;
  for (let unit = 0; unit < hidden; unit += 1)
    output += (activations[sample * hidden + unit] ?? NaN) * (weights[w2 + unit] ?? NaN);
  return output;
}
