import { DRIFT_BASELINE } from '../constants';
import { measuredAutocorrelation, towardsUsual } from '../promotion/autocorrelation';
import { mean } from '../vectors';

const { firstWindows, lastWindows, largest } = DRIFT_BASELINE;

/** What a whole fleet's forecasts of one window came to, as shares from 0 to 1. */
export interface WindowShares {
  /** Right forecasts of the champion. */
  readonly champion: number;
  /** Right forecasts of persistence on the same device-windows. */
  readonly persistence: number;
}

/**
 * How far a window lies from the windows before it. The champion's share of errors depends on the weather, and so does that of persistence: what the one says of
 * the other is taken off, as a control variate by least squares. To subtract all of persistence would add noise, for it follows the weather five times as much as a
 * champion does. What is left is divided by its spread over a long time: neighbouring windows are alike, so that few of them count as less.
 */
export class WindowBaseline {
  private readonly windows: WindowShares[] = [];

  /**
   * @returns by how many long-run standard deviations the champion erred more than it used to, between `−largest` and `largest`; null while too few
   *   windows are known
   */
  excess(window: WindowShares): number | null {
    const { windows } = this;
    const known = windows.length >= firstWindows ? excessOver(windows, window) : null;
    windows.push(window);
    if (windows.length > lastWindows) windows.shift();
    return known;
  }
}

function excessOver(windows: readonly WindowShares[], { champion, persistence }: WindowShares): number {
  const count = windows.length;
  const own = mean(windows.map((window) => window.champion));
  const other = mean(windows.map((window) => window.persistence));
  const spread = sumOf(windows, (window) => (window.persistence - other) ** 2);
  const common = sumOf(windows, (window) => (window.persistence - other) * (window.champion - own));
  // A ridge of one more window: while few are known persistence says less.
  const slope = spread > 0 ? common / (spread + spread / count) : 0;
  const residualOf = (window: WindowShares): number =>
    window.champion - own - slope * (window.persistence - other);
  const residuals = windows.map(residualOf);
  const squares = sumOf(residuals, (residual) => residual ** 2);
  // Two numbers were fitted. A champion that was never wrong, or always, errs by a thousandth all the same.
  const variance = Math.max(squares / (count - 2), LEAST_VARIANCE);
  const alike = longRunFactor(residuals, squares);
  const excess = -residualOf({ champion, persistence }) / Math.sqrt(variance * alike);
  return Math.min(largest, Math.max(-largest, excess));
}

const LEAST_VARIANCE = 1e-6;

/** Variance of a mean of neighbouring windows, against that of as many independent ones: (1 + ρ)/(1 − ρ) for the first autocorrelation ρ. */
function longRunFactor(residuals: readonly number[], squares: number): number {
  const measured = squares > 0 ? measuredAutocorrelation(residuals, squares) : 0;
  const rho = towardsUsual(measured, residuals.length);
  return (1 + rho) / (1 - rho);
}

function sumOf<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0);
}
