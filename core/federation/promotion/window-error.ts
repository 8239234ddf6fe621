import { MIN_INTERVAL_WINDOWS, USUAL_AUTOCORRELATION } from '../constants';
import { measuredAutocorrelation, towardsUsual } from './autocorrelation';

/** How far a mean may be from what it stands for. */
export interface StandardError {
  readonly standardError: number;
  /** Of the estimate of the standard error itself. */
  readonly degreesOfFreedom: number;
}

/**
 * Standard error of the mean of one value a window, oldest first. Neighbouring windows see much the same weather, so that n of them are fewer
 * observations than n: with an autocorrelation ρ^k at lag k the mean's variance is γ₀·f/n with f = 1 + 2 Σ (1 − k/n) ρ^k, and the variance has
 * n(1 − ρ²)/(1 + ρ²) − 1 degrees of freedom (Bayley and Hammersley 1946, "The 'Effective' Number of Independent Observations in an
 * Autocorrelated Time Series"). ρ is the series' own, freed of its bias, and drawn towards the usual one while windows are few.
 * @returns null for fewer than three windows: too few to say
 */
export function errorOfWindowMeans(values: readonly number[]): StandardError | null {
  const n = values.length;
  if (n < MIN_INTERVAL_WINDOWS) return null;
  const centre = values.reduce((sum, value) => sum + value, 0) / n;
  const deviations = values.map((value) => value - centre);
  const squares = deviations.reduce((sum, deviation) => sum + deviation * deviation, 0);
  const rho = autocorrelation(deviations, squares);
  let inflation = 1;
  for (let lag = 1; lag < n; lag += 1) inflation += 2 * (1 - lag / n) * rho ** lag;
  const effective = n / inflation;
  // Around its own mean a series varies less than around the true one, by the share that the mean itself varies.
  const variance = squares / n / (1 - 1 / effective);
  return {
    standardError: Math.sqrt(variance / effective),
    degreesOfFreedom: Math.max(1, (n * (1 - rho ** 2)) / (1 + rho ** 2) - 1),
  };
}

/** First autocorrelation, from 0 to 0.9: what n windows show, + (1 + 3r)/n for its bias (Kendall 1954), beside the usual one as if seen in a day of windows. */
function autocorrelation(deviations: readonly number[], squares: number): number {
  const n = deviations.length;
  if (squares === 0) return USUAL_AUTOCORRELATION;
  const own = measuredAutocorrelation(deviations, squares);
  return towardsUsual(own + (1 + 3 * own) / n, n);
}
