import { type PanelTally } from '../../contracts/site-reports';
import { hiddenActivations } from '../../model/hidden-activations';
import { type ModelsOnSamples } from '../../model/batch-predictor';
import { weightOffsets } from '../../model/network';
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
  const { hidden } = shape;
  const { w2, b2 } = weightOffsets(shape);
  const outputs = Float64Array.from(samples.y, (_, sample) => {
    let output = proposal[b2] ?? NaN;
    for (let unit = 0; unit < hidden; unit += 1)
      output += (activations[sample * hidden + unit] ?? NaN) * (proposal[w2 + unit] ?? NaN);
    return output;
  });
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
  const parameters = champion.length;
  const weights = new Float32Array((proposals.length + 1) * parameters);
  weights.set(champion);
  proposals.forEach((proposal, at) => {
    weights.set(proposal, (at + 1) * parameters);
  });
  const outputs = await predictor.predict(weights, samples.x);
  const of = (model: number): Float32Array =>
    outputs.subarray(model * samples.count, (model + 1) * samples.count);
  return proposals.map((_, at) => tallyPanel(samples, of(at + 1), of(0)));
}
