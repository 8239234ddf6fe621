import { type SiteName } from '../../contracts/ids';
import { type ContributionSums } from '../../contracts/site-reports';
import { softCorrect } from '../../contracts/soft-score';
import { type ModelsOnSamples } from '../../model/batch-predictor';
import { type FlatWeights, type NetworkShape } from '../../model/types';
import { outputsOf } from '../panels/panel-scoring';
import { isCorrect, type Samples } from '../training/samples';
import { softGradient, windowsByDevice } from './soft-gradient';

/** A proposal that was made again without the updates of one site [P]. */
export interface WithoutSite {
  readonly site: SiteName;
  readonly weights: FlatWeights;
}

/** What a site sends of contributions, but for its name. */
export type OwnContributionSums = Pick<ContributionSums, 'devices' | 'gradient' | 'without'>;

/** A site's sums over its devices on panel C: the proposal [P], and how much better it is there than the same without each site. */
export async function sumContributions(
  shape: NetworkShape,
  predictor: Pick<ModelsOnSamples, 'predict'>,
  proposal: FlatWeights,
  without: readonly WithoutSite[],
  samples: Samples,
): Promise<OwnContributionSums> {
  const models = [proposal, ...without.map(({ weights }) => weights)];
  const [whole = [], ...others] = await outputsOf(predictor, models, samples);
  return {
    devices: windowsByDevice(samples).size,
    gradient: [...softGradient(shape, proposal, samples)],
    without: without.map(({ site }, at) => ({ site, ...pairedSums(samples, whole, others[at] ?? []) })),
  };
}

/** Σ d and Σ d² over devices, d = a device's mean of what the proposal scores more than the same without a site; outputs [samples] in tolerances. */
export function pairedSums(
  samples: Samples,
  proposal: ArrayLike<number>,
  without: ArrayLike<number>,
): Omit<ContributionSums['without'][number], 'site'> {
  const windows = windowsByDevice(samples);
  const devices = new Map<number, { right: number; soft: number }>();
  samples.y.forEach((actual, at) => {
    const device = samples.device[at] ?? -1;
    const own = devices.get(device) ?? { right: 0, soft: 0 };
    devices.set(device, own);
    const share = 1 / (windows.get(device) ?? NaN);
    const error = (proposal[at] ?? NaN) - actual;
    const other = (without[at] ?? NaN) - actual;
    own.right += share * (isCorrect(error) - isCorrect(other));
    own.soft += share * (softCorrect(error) - softCorrect(other));
  });
  const sum = (of: (own: { right: number; soft: number }) => number): number =>
    [...devices.values()].reduce((total, own) => total + of(own), 0);
  return {
    difference: sum(({ right }) => right),
    squaredDifference: sum(({ right }) => right * right),
    softDifference: sum(({ soft }) => soft),
    squaredSoftDifference: sum(({ soft }) => soft * soft),
  };
}
