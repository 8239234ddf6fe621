import { MAX_AUTOCORRELATION, USUAL_AUTOCORRELATION, USUAL_AUTOCORRELATION_WINDOWS } from '../constants';

/**
 * First autocorrelation of a series of windows, oldest first.
 * @param deviations from the mean of the series
 * @param squares their sum of squares, above 0
 */
export function measuredAutocorrelation(deviations: readonly number[], squares: number): number {
  const products = deviations.reduce((sum, deviation, at) => sum + deviation * (deviations[at - 1] ?? 0), 0);
  return products / squares;
}

/** What `windows` windows show of an autocorrelation, drawn towards the usual one as if that had been seen in a day of windows; from 0 to 0.9. */
export function towardsUsual(measured: number, windows: number): number {
  const shrunk =
    (windows * measured + USUAL_AUTOCORRELATION_WINDOWS * USUAL_AUTOCORRELATION) /
    (windows + USUAL_AUTOCORRELATION_WINDOWS);
  return Math.min(Math.max(shrunk, 0), MAX_AUTOCORRELATION);
}
