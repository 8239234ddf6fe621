import { type SiteName } from '../../contracts/ids';
import { type FlatWeights } from '../../model/types';
import { dot } from '../vectors';

/** An update in a proposal, as the strategy took it, and its share. */
export interface SharedUpdate {
  readonly site: SiteName;
  /** [P] */
  readonly delta: FlatWeights;
  /** Of the step, all adding up to 1. */
  readonly weight: number;
}

/** What each update and each site brought, in soft score (0 to 1); null for what would leave nothing behind. */
export interface AdditiveContributions {
  /** One entry an update. */
  readonly updates: readonly (number | null)[];
  readonly sites: ReadonlyMap<SiteName, number | null>;
}

/** What is left without a part that has all but so little of the weight says nothing. */
const MIN_REMAINING_WEIGHT = 1e-6;

/**
 * Leave-one-out of a weighted mean, to the first order. The mean ū = Σ wᵢδᵢ moves by (δᵢ − ū) wᵢ/(1 − wᵢ) when update i comes in, and by
 * Σᵢ wᵢ(δᵢ − ū)/(1 − W) when those of a site with the share W do; the gradient g of the panel's score says what that brings. It is the influence function of
 * a mean (Koh and Liang 2017, arXiv 1703.04730) and the first order of Data Shapley in one run (Wang et al. 2024, arXiv 2406.11011).
 * @param gradient of the panel's mean soft score at the proposal [P]
 */
export function additiveContributions(
  gradient: FlatWeights,
  updates: readonly SharedUpdate[],
): AdditiveContributions {
  const gains = updates.map(({ delta }) => dot(gradient, delta));
  const total = updates.reduce((sum, { weight }) => sum + weight, 0);
  const mean = updates.reduce((sum, { weight }, at) => sum + (weight / total) * (gains[at] ?? NaN), 0);
  const sites = new Map<SiteName, { weight: number; gain: number }>();
  updates.forEach(({ site, weight }, at) => {
    const own = sites.get(site) ?? { weight: 0, gain: 0 };
    sites.set(site, own);
    own.weight += weight / total;
    own.gain += (weight / total) * ((gains[at] ?? NaN) - mean);
  });
  return {
    updates: updates.map(({ weight }, at) =>
      broughtBy(weight / total, (weight / total) * ((gains[at] ?? NaN) - mean)),
    ),
    sites: new Map([...sites].map(([site, { weight, gain }]) => [site, broughtBy(weight, gain)])),
  };
}

function broughtBy(weight: number, gain: number): number | null {
  const brought = gain / (1 - weight);
  return 1 - weight < MIN_REMAINING_WEIGHT || !Number.isFinite(brought) ? null : brought;
}
