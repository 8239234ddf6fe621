import { weightOffsets } from '../../model/network';
import { parameterCount, type FlatWeights, type NetworkShape } from '../../model/types';
import { LINEAR_PASSES, LINEAR_RIDGE, LINEAR_TARGET_CLIP, REFIT_BLOCKS, RESIDUAL_CLIP } from '../constants';
import { type Samples } from '../training/samples';
import { isFiniteVector } from '../vectors';
import { type RefitSums, weightedSums } from './additive-sums';
import { clipResidual, robustWeight } from './robust';
import { ridgeStep, shrunkStep } from './shrunk-step';

/**
 * The linear forecast of a fleet: change = Σ aᵢ xᵢ + b over the scaled features. Each round fits it anew from sums over the newest windows, so
 * that readings stay where they are, and moves the one before it towards the fit as far as that repeats over time. It follows drift sooner than a network does.
 */

/** Coefficients of the features, then the constant [inputs + 1], in tolerances. */
export type LinearModel = readonly number[];

/** Forecasts that nothing changes. */
export function noLinearModel({ inputs }: NetworkShape): LinearModel {
  return new Array<number>(inputs + 1).fill(0);
}

/** Forecast changes in tolerances [samples]. */
export function linearOutputs(model: LinearModel, { x, count }: Pick<Samples, 'x' | 'count'>): Float64Array {
  const inputs = model.length - 1;
  const outputs = new Float64Array(count).fill(model[inputs] ?? NaN);
  for (let sample = 0; sample < count; sample += 1)
    for (let input = 0; input < inputs; input += 1)
      outputs[sample] =
        (outputs[sample] ?? NaN) + (model[input] ?? NaN) * (x[sample * inputs + input] ?? NaN);
  return outputs;
}

/**
 * A site's sums for a linear model, over its samples of the newest `windows` windows in six blocks of time, newest first. What is far off counts little; how far
 * off a sample is, the site's own best linear forecast says, found by iterated weights: after a change `before` would call everybody an outlier.
 */
export function linearSums(before: LinearModel, samples: Samples, windows: number): RefitSums {
  const blockOf = samples.age.map((age) => Math.floor((age * REFIT_BLOCKS) / windows));
  let outputs = linearOutputs(before, samples);
  for (let pass = 0; pass < LINEAR_PASSES; pass += 1) {
    const fitted = ridgeStep(sumsNear(outputs, samples, blockOf), LINEAR_RIDGE);
    if (fitted === null) break;
    outputs = linearOutputs(fitted, samples);
  }
  return sumsNear(outputs, samples, blockOf);
}

/** Sums of the actual changes, clipped and weighted by how far they lie from these outputs. */
function sumsNear(outputs: Float64Array, samples: Samples, blockOf: ArrayLike<number>): RefitSums {
  const rows = Array.from(samples.y, (actual, sample) => {
    const output = outputs[sample] ?? NaN;
    const error = clipResidual(actual - output, RESIDUAL_CLIP);
    return {
      residual: clipResidual(output + error, LINEAR_TARGET_CLIP),
      weight: robustWeight(error),
      device: samples.device[sample] ?? 0,
    };
  });
  return weightedSums(samples.x.length / Math.max(1, samples.count), samples.x, rows, blockOf);
}

/**
 * The linear model that follows `before`, from the sums of all sites: (1 − s) · before + s · fit.
 * @returns it and s (shrunk-step.ts); `null` where nothing repeats, or the sums are not enough.
 */
export function nextLinear(
  before: LinearModel,
  sums: RefitSums,
): { readonly model: LinearModel; readonly share: number } | null {
  const found = shrunkStep(sums, before.length, LINEAR_RIDGE);
  if (found === null) return null;
  const { step, share } = found;
  const model = before.map((value, at) => (1 - share) * value + (step[at] ?? NaN));
  return isFiniteVector(model) ? { model, share } : null;
}

/** The network that forecasts the same: a = relu(a) − relu(−a) in its first two hidden units, all others without effect. */
export function networkOfLinear(shape: NetworkShape, model: LinearModel): FlatWeights {
  const { inputs, hidden } = shape;
  const { b1, w2 } = weightOffsets(shape);
  const weights = new Float32Array(parameterCount(shape));
  for (let input = 0; input < inputs; input += 1) weights[input * hidden] = model[input] ?? NaN;
  weights[b1] = model[inputs] ?? NaN;
  for (let input = 0; input < inputs; input += 1)
    weights[input * hidden + 1] = -(weights[input * hidden] ?? NaN);
  weights[b1 + 1] = -(weights[b1] ?? NaN);
  weights[w2] = 1;
  weights[w2 + 1] = -1;
  return weights;
}

/** The model in such a network. */
export function linearOfNetwork(shape: NetworkShape, weights: FlatWeights): LinearModel {
  const { inputs, hidden } = shape;
  const { b1 } = weightOffsets(shape);
  return Array.from({ length: inputs + 1 }, (_, input) =>
    input < inputs ? (weights[input * hidden] ?? NaN) : (weights[b1] ?? NaN),
  );
}
