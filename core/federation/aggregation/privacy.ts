import normalCdf from '@stdlib/stats-base-dists-normal-cdf';
import { FedloopError } from '../../contracts/errors';
import { adaptiveClipOf, type PrivacySettings } from '../../contracts/privacy';
import { type FlatWeights } from '../../model/types';
import { EPSILON_BISECTIONS, MAX_EPSILON } from '../constants';

/** Noise of one round. */
export interface RoundNoise {
  readonly noiseMultiplier: number;
  readonly clipNorm: number;
  /** Gaussian with mean 0 and standard deviation 1: of a generator that nobody can repeat, else the noise can be subtracted. */
  readonly normal: () => number;
}

/**
 * Differential privacy at the level of devices: every delta is clipped to norm C, the mean of n is taken with equal weights, and Gaussian
 * noise of standard deviation z·C/n is added to each coordinate (McMahan et al. 2018, arXiv 1710.06963; z = noise multiplier).
 */
export function addGaussianNoise(
  mean: FlatWeights,
  { noiseMultiplier, clipNorm, normal }: RoundNoise,
  updates: number,
): FlatWeights {
  const deviation = (noiseMultiplier * clipNorm) / updates;
  return mean.map((value) => value + deviation * normal());
}

/**
 * Σ 1/z² that a round costs: of the noised mean and, where the norm adapts, of the noised count of updates within it. A device moves the sum
 * by at most C and the count by at most 1.
 */
export function costOf(privacy: PrivacySettings): number {
  const adaptive = adaptiveClipOf(privacy);
  return 1 / privacy.noiseMultiplier ** 2 + (adaptive === null ? 0 : 1 / adaptive.countNoise ** 2);
}

/**
 * ε after another round of these settings.
 * @param spent Σ 1/z² so far
 * @throws FedloopError `PrivacyBudgetSpent` where that is more than the budget
 */
export function epsilonAfter(spent: number, privacy: PrivacySettings): number {
  const { delta, budget } = privacy;
  const after = epsilonSpent(spent + costOf(privacy), delta);
  if (budget === undefined || after <= budget) return after;
  throw new FedloopError(
    'PrivacyBudgetSpent',
    `the privacy budget is ε = ${budget}: ${shown(epsilonSpent(spent, delta))} is spent, and this round would make it ${shown(after)} (δ = ${delta})`,
    { hint: 'The champion stays. More noise costs less, and what is spent stays spent.' },
  );
}

function shown(epsilon: number): string {
  return Number.isFinite(epsilon) ? epsilon.toFixed(3) : `more than ${MAX_EPSILON}`;
}

/**
 * ε spent for a given δ. Rounds of Gaussian noise with multipliers z₁ … z_T compose exactly to Gaussian differential privacy with
 * μ = √Σ 1/z² (Dong, Roth, Su 2019, arXiv 1905.02383, corollary 3.3), which is (ε, δ)-private exactly for
 * δ = Φ(−ε/μ + μ/2) − e^ε Φ(−ε/μ − μ/2) (Balle and Wang 2018, arXiv 1805.06530). Neighbouring cases: a device's update, or zeros in its
 * place. No amplification by sampling is claimed: ε holds for a device that took part in every round, and is an upper bound for others.
 * @param sumOfInverseSquares Σ 1/z² over the rounds so far
 * @returns ε, 0 when nothing was spent, Infinity above 500
 */
export function epsilonSpent(sumOfInverseSquares: number, delta: number): number {
  if (sumOfInverseSquares <= 0) return 0;
  const mu = Math.sqrt(sumOfInverseSquares);
  if (deltaAt(0, mu) <= delta) return 0;
  if (deltaAt(MAX_EPSILON, mu) > delta) return Number.POSITIVE_INFINITY;
  let low = 0;
  let high = MAX_EPSILON;
  for (let step = 0; step < EPSILON_BISECTIONS; step += 1) {
    const middle = (low + high) / 2;
    if (deltaAt(middle, mu) > delta) low = middle;
    else high = middle;
  }
  return high;
}

function deltaAt(epsilon: number, mu: number): number {
  return (
    normalCdf(-epsilon / mu + mu / 2, 0, 1) - Math.exp(epsilon) * normalCdf(-epsilon / mu - mu / 2, 0, 1)
  );
}
