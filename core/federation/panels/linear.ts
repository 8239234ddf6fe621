import { weightOffsets } from '../../model/network';
import { parameterCount, type FlatWeights, type NetworkShape } from '../../model/types';
import {
  LINEAR_LEVERAGE,
  LINEAR_PASSES,
  LINEAR_RIDGE,
  LINEAR_TARGET_CLIP,
  REFIT_BLOCKS,
  RESIDUAL_CLIP,
} from '../constants';
import { type Samples } from '../training/samples';
import { isFiniteVector, median } from '../vectors';
import { type RefitSums, weightedSums } from './additive-sums';
import { deviceInfluence } from './device-influence';
import { clipResidual, robustWeight, weightAt } from './robust';
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
 * Features far from what is usual at the site count little too (a Mallows weight): the error of a line can be small where one sample bends it.
 */
export function linearSums(before: LinearModel, samples: Samples, windows: number): RefitSums {
  const blockOf = samples.age.map((age) => Math.floor((age * REFIT_BLOCKS) / windows));
  const usual = usualFeatures(samples);
  let outputs = linearOutputs(before, samples);
  for (let pass = 0; pass < LINEAR_PASSES; pass += 1) {
    const fitted = ridgeStep(sumsNear(outputs, samples, usual, blockOf), LINEAR_RIDGE);
    if (fitted === null) break;
    outputs = linearOutputs(fitted, samples);
  }
  return sumsNear(outputs, samples, usual, blockOf);
}

/** By sample how usual its features are, 1/(1 + (|x|²/3 medians)⁴): near 1 for weather, a hundredth where a broken sensor's jumps fill all lags [samples]. */
function usualFeatures({ x, count }: Samples): Float64Array {
  const inputs = x.length / Math.max(1, count);
  const squares = Float64Array.from({ length: count }, (_, sample) => {
    let sum = 0;
    for (let input = 0; input < inputs; input += 1) sum += (x[sample * inputs + input] ?? NaN) ** 2;
    return sum;
  });
  const most = LINEAR_LEVERAGE * median([...squares]);
  return squares.map((square) => (most > 0 ? weightAt(square / most) : 1));
}

/** Sums of the actual changes, clipped and weighted by how far they lie from these outputs, and by how usual their features are. */
function sumsNear(
  outputs: Float64Array,
  samples: Samples,
  usual: Float64Array,
  blockOf: ArrayLike<number>,
): RefitSums {
  const inputs = samples.x.length / Math.max(1, samples.count);
  const errors = Array.from(samples.y, (actual, sample) => {
    const residual = clipResidual(actual - (outputs[sample] ?? NaN), RESIDUAL_CLIP);
    const weight = (usual[sample] ?? NaN) * robustWeight(residual);
    return { residual, weight, device: samples.device[sample] ?? 0 };
  });
  const changes = errors.map((error, sample) => ({
    ...error,
    residual: clipResidual((outputs[sample] ?? NaN) + error.residual, LINEAR_TARGET_CLIP),
  }));
  // What a device pulls by is its errors: changes that all devices have in common pull nowhere.
  const influence = deviceInfluence(inputs, samples.x, errors);
  return weightedSums(inputs, samples.x, changes, blockOf, influence);
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
