import { seededRandom } from '../platform/random';
import { parameterCount, type FlatWeights, type NetworkShape } from './types';

/**
 * The network: one hidden layer, o = relu(x·W1 + b1)·W2 + b2, for scaled features x and an output in units of tolerance.
 * Its arithmetic in plain TypeScript, which the ONNX graphs must agree with: bench/support/reference-network.ts.
 */

/** Start of each part in a row of flat weights; W1 starts at 0. */
export function weightOffsets({ inputs, hidden }: NetworkShape): Record<'b1' | 'w2' | 'b2', number> {
  const b1 = inputs * hidden;
  return { b1, w2: b1 + hidden, b2: b1 + 2 * hidden };
}

/** Gaussian starting weights: He et al. 2015 (arXiv 1502.01852) for the ReLU layer, 1/hidden for the output; biases 0. */
export function initialWeights(shape: NetworkShape, seed: number): FlatWeights {
  const random = seededRandom(seed, 'initial-weights', shape.inputs, shape.hidden);
  const { b1, w2, b2 } = weightOffsets(shape);
  const weights = new Float32Array(parameterCount(shape));
  for (let at = 0; at < b1; at += 1) weights[at] = random.normal() * Math.sqrt(2 / shape.inputs);
  for (let at = w2; at < b2; at += 1) weights[at] = random.normal() * Math.sqrt(1 / shape.hidden);
  return weights;
}
