import { EFFECT_PRECISION } from '../constants';

/**
 * How many standard errors a confidence sequence reaches to either side of a mean. The mean that the sequence is of lies outside of it at any time, however
 * often one looks, with a probability of at most `risk` on each side. It is the t-test's e-process with a Gaussian mixture of effects,
 * G = √(c²/(n + c²)) · (V / (V − S²/(n + c²)))^(n/2), a test martingale under every variance (Lai 1976; Wang and Ramdas 2024, "Anytime-valid t-tests and
 * confidence sequences for Gaussian means with unknown variance"), solved for where it reaches 1/(2·risk).
 * It is exact for independent Gaussian values; where they hang together, n is the number that their variance is worth.
 * @returns infinity while so few observations cannot show anything
 */
export function sequenceMultiplier(degreesOfFreedom: number, risk: number): number {
  const n = degreesOfFreedom + 1;
  const share = EFFECT_PRECISION / (n + EFFECT_PRECISION);
  const ratio = (1 / share) ** (1 / n) * (2 * risk) ** (-2 / n);
  const left = 1 - ratio * share;
  return left <= 0 ? Number.POSITIVE_INFINITY : Math.sqrt(((ratio - 1) * degreesOfFreedom) / left);
}
