import { weightOffsets } from '../../core/model/network';
import { parameterCount, type FlatWeights, type NetworkShape } from '../../core/model/types';

/** The network and its training in plain TypeScript: what the ONNX graphs must agree with. Tests and benchmarks use it. */

/** Outputs [rows] for scaled features x [rows, inputs]. */
export function forward(
  shape: NetworkShape,
  weights: FlatWeights,
  x: Float32Array,
  rows: number,
): Float32Array {
  const outputs = new Float32Array(rows);
  const hidden = new Float64Array(shape.hidden);
  for (let row = 0; row < rows; row += 1)
    outputs[row] = forwardRow(shape, weights, x, row * shape.inputs, hidden);
  return outputs;
}

/** One output; leaves the hidden activations in `hidden`. */
function forwardRow(
  shape: NetworkShape,
  weights: FlatWeights,
  x: Float32Array,
  at: number,
  hidden: Float64Array,
): number {
  const { b1, w2, b2 } = weightOffsets(shape);
  let output = weights[b2] ?? NaN;
  for (let unit = 0; unit < shape.hidden; unit += 1) {
    let sum = weights[b1 + unit] ?? NaN;
    for (let input = 0; input < shape.inputs; input += 1) {
      sum += (x[at + input] ?? NaN) * (weights[input * shape.hidden + unit] ?? NaN);
    }
    const active = Math.max(sum, 0);
    hidden[unit] = active;
    output += active * (weights[w2 + unit] ?? NaN);
  }
  return output;
}

/** Rows of one mini-batch (or of a whole data set): x [rows, inputs] scaled, y [rows], sampleWeights [rows]. */
export interface Batch {
  readonly rows: number;
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly sampleWeights: Float32Array;
}

/**
 * Mean weighted Huber-like loss whose gradient `lossGradient` is: with e = o − y and clip c,
 * e² where |e| ≤ c, 2c|e| − c² beyond; times the sample weight, divided by the number of rows.
 */
export function loss(shape: NetworkShape, weights: FlatWeights, batch: Batch, residualClip: number): number {
  const outputs = forward(shape, weights, batch.x, batch.rows);
  let total = 0;
  for (let row = 0; row < batch.rows; row += 1) {
    const error = Math.abs((outputs[row] ?? NaN) - (batch.y[row] ?? NaN));
    const value =
      error <= residualClip ? error * error : 2 * residualClip * error - residualClip * residualClip;
    total += value * (batch.sampleWeights[row] ?? NaN);
  }
  return total / batch.rows;
}

/**
 * Gradient [P] of `loss`: back-propagation with g = clip(o − y, ±c) · 2/B · sample weight at the output.
 * The clip keeps a broken reading from deciding a step (Huber 1964).
 */
export function lossGradient(
  shape: NetworkShape,
  weights: FlatWeights,
  batch: Batch,
  residualClip: number,
): Float64Array {
  const { b1, w2, b2 } = weightOffsets(shape);
  const gradient = new Float64Array(parameterCount(shape));
  const add = (at: number, value: number): void => {
    gradient[at] = (gradient[at] ?? 0) + value;
  };
  const hidden = new Float64Array(shape.hidden);
  for (let row = 0; row < batch.rows; row += 1) {
    const at = row * shape.inputs;
    const error = forwardRow(shape, weights, batch.x, at, hidden) - (batch.y[row] ?? NaN);
    const clipped = Math.min(Math.max(error, -residualClip), residualClip);
    const atOutput = (clipped * 2 * (batch.sampleWeights[row] ?? NaN)) / batch.rows;
    add(b2, atOutput);
    for (let unit = 0; unit < shape.hidden; unit += 1) {
      const active = hidden[unit] ?? NaN;
      if (active <= 0) continue;
      add(w2 + unit, atOutput * active);
      const atHidden = atOutput * (weights[w2 + unit] ?? NaN);
      add(b1 + unit, atHidden);
      for (let input = 0; input < shape.inputs; input += 1) {
        add(input * shape.hidden + unit, atHidden * (batch.x[at + input] ?? NaN));
      }
    }
  }
  return gradient;
}

export interface SgdOptions {
  readonly learningRate: number;
  readonly residualClip: number;
  /** FedProx (Li et al. 2020, arXiv 1812.06127): adds μ (w − base) to the gradient. */
  readonly proximal?: { readonly mu: number; readonly base: FlatWeights };
}

/** One step of gradient descent in place: w ← w − η (∇loss + μ (w − base)). */
export function sgdStep(shape: NetworkShape, weights: FlatWeights, batch: Batch, options: SgdOptions): void {
  const gradient = lossGradient(shape, weights, batch, options.residualClip);
  const { learningRate, proximal } = options;
  weights.forEach((weight, at) => {
    const pull = proximal === undefined ? 0 : proximal.mu * (weight - (proximal.base[at] ?? NaN));
    weights[at] = weight - learningRate * ((gradient[at] ?? NaN) + pull);
  });
}
