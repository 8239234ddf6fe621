import { weightOffsets } from '../../model/network';
import { type FlatWeights, type NetworkShape } from '../../model/types';
import { REFIT_RIDGE, RESIDUAL_CLIP } from '../constants';
import { isFiniteVector } from '../vectors';
import { type RefitSums, weightedSums } from './additive-sums';
import { clipResidual, robustWeight } from './robust';
import { shrunkStep } from './shrunk-step';

/** A refit, and the share of the sums' full step that it takes (above 0, at most 1). */
export interface Refit {
  readonly weights: FlatWeights;
  readonly share: number;
}

/** A site's samples of one proposal. */
export interface RefitSamples {
  /** Hidden layer after ReLU [samples, hidden], for the proposal's weights. */
  readonly activations: Float32Array;
  /** The proposal's outputs in tolerances [samples]. */
  readonly outputs: ArrayLike<number>;
  /** Actual changes in tolerances [samples]. */
  readonly actual: ArrayLike<number>;
  /** Place of each sample's block of windows, from 0 [samples]. */
  readonly blockOf: ArrayLike<number>;
  /** Number of each sample's device [samples]. */
  readonly deviceOf: ArrayLike<number>;
}

/** A site's sums for one proposal. No device pulls much harder than most do (device-influence.ts). */
export function refitSums({ hidden }: NetworkShape, samples: RefitSamples): RefitSums {
  const { activations, outputs, actual, blockOf, deviceOf } = samples;
  const rows = Array.from(actual, (_, sample) => {
    const residual = clipResidual((actual[sample] ?? NaN) - (outputs[sample] ?? NaN), RESIDUAL_CLIP);
    return { residual, weight: robustWeight(residual), device: deviceOf[sample] ?? 0 };
  });
  return weightedSums(hidden, activations, rows, blockOf);
}

/**
 * Ridge regression of the residuals on the hidden layer, shrunk to what repeats over time (shrunk-step.ts), with λ = 0.03 · rows. The step goes onto the
 * output layer (W2, b2): the ridge pulls towards the proposal itself, not towards zero.
 * @returns `null` when the sums are not enough: no samples, fewer than two blocks, nothing that repeats, or not finite.
 * @throws FedloopError `InvalidInput` when they come from a network of another size
 */
export function refitOutputLayer(
  shape: NetworkShape,
  proposal: FlatWeights,
  sums: RefitSums,
  ridge = REFIT_RIDGE,
): Refit | null {
  const found = shrunkStep(sums, shape.hidden + 1, ridge);
  if (found === null) return null;
  const weights = proposal.slice();
  const { w2 } = weightOffsets(shape);
  found.step.forEach((value, unit) => {
    weights[w2 + unit] = (weights[w2 + unit] ?? NaN) + value;
  });
  return isFiniteVector(weights) ? { weights, share: found.share } : null;
}
