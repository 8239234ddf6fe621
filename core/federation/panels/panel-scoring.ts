import { type PanelTally } from '../../contracts/site-reports';
import { hiddenActivations, outputOf } from '../../model/hidden-activations';
import { type ModelsOnSamples } from '../../model/batch-predictor';
import { type FlatWeights, type NetworkShape } from '../../model/types';
import { REFIT_BLOCKS } from '../constants';
import { tallyPanel } from './panel-tally';
import { type RefitSums } from './additive-sums';
import { refitSums } from './refit';
import { type Samples } from '../training/samples';

/**
 * A site's part of the refit: sums of one proposal [P] on its samples of the newest `windows` windows, in
 * six blocks of time, newest first.
 */
export function sumPanel(
  shape: NetworkShape,
  proposal: FlatWeights,
  samples: Samples,
  windows: number,
): RefitSums {
  const activations = hiddenActivations(shape, proposal, samples.x);
  const outputs = Float64Array.from(samples.y, (_, sample) => outputOf(shape, proposal, activations, sample));
  const blockOf = samples.age.map((age) => Math.floor((age * REFIT_BLOCKS) / windows));
  return refitSums(shape, { activations, outputs, actual: samples.y, blockOf, deviceOf: samples.device });
}

/** A site's tallies of several proposals, each [P], beside the champion on one panel's recent samples; one tally a proposal. */
export async function tallyProposals(
  predictor: ModelsOnSamples,
  champion: FlatWeights,
  proposals: readonly FlatWeights[],
  samples: Samples,
): Promise<PanelTally[]> {
  const [beside = [], ...outputs] = await outputsOf(predictor, [champion, ...proposals], samples);
  return outputs.map((own) => tallyPanel(samples, own, beside));
}

/** Outputs of several models, each [P], on the same samples, in one run: [samples.count] a model. */
export async function outputsOf(
  predictor: Pick<ModelsOnSamples, 'predict'>,
  models: readonly FlatWeights[],
  { x, count }: Pick<Samples, 'x' | 'count'>,
): Promise<readonly Float32Array[]> {
  const parameters = models[0]?.length ?? 0;
  const weights = new Float32Array(models.length * parameters);
  models.forEach((model, at) => {
    weights.set(model, at * parameters);
  });
  const outputs = await predictor.predict(weights, x);
  return models.map((_, at) => outputs.subarray(at * count, (at + 1) * count));
}
