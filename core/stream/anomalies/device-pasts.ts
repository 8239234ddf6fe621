import { DeviceNumbers } from '../windows/device-numbers';
import { type DeviceSummary } from '../windows/summary';

/**
 * What is usual for each device inside a window: how far its readings scatter, and how often they do not move at all. Sums over its windows, older
 * ones fading. Variances are in tolerances squared.
 */

/**
 * Squared deviations and their degrees of freedom; windows in which nothing moved, all windows, and the first ones in a row up to now; 1 after an
 * anomalous window; sums of what squared steps explain of the scatter.
 */
export const PAST_NUMBERS = 8;
const SQUARES = 0;
const FREEDOM = 1;
const STILL = 2;
const WINDOWS = 3;
const STILL_RUN = 4;
const ANOMALOUS = 5;
const STEP_SCATTER = 6;
const STEP_STEP = 7;

/** Share of a device's past that stays with each window: half of its scatter is gone after 23, of how often it is still after 69. */
const SCATTER_MEMORY = 0.97;
const STILL_MEMORY = 0.99;
/** Degrees of freedom of what the fleet's scatter tells about a device, and of what is known of its own from before its first window. */
const FLEET_FREEDOM = 4;
const SEED_FREEDOM = 10;
/** A window's variance counts for at most so many times the usual one: one spike must not hide the next. */
const MOST_TIMES_USUAL = 9;
/** A sum of more than this times the readings of a window would not fit a single-precision number. */
const MOST_VARIANCE = 1e30;
/** Before anything is known of a device: windows, and those of them in which nothing moves. */
const STILL_PRIOR = { windows: 5, still: 0.05 } as const;
/** Fewer readings say little of their scatter. */
const MIN_READINGS = 4;
/**
 * How much variance a change of the level explains, in the square of the step from the window before: a level that moves steadily has a twelfth of it,
 * and a clock that is wrong by half a window the whole. Each device learns its own share, from one that is worth so many steps of a tolerance.
 */
const STEP_PRIOR = { share: 1 / 12, steps: 4 } as const;
const MOST_STEP_SHARE = 2;
/** Single windows differ from what is explained on average. */
const STEP_ALLOWANCE = 2;
/** In tolerances squared. */
const MOST_SQUARED_STEP = 16;

/** A window that a device learns from; the figures are those that it was judged by. */
interface Lesson {
  readonly summary: DeviceSummary;
  readonly step: number;
  readonly fleetVariance: number;
  /** Known or taken to be anomalous: it says nothing of the usual scatter. */
  readonly isAnomalous: boolean;
}

export class DevicePasts {
  /** Of each device. */
  readonly sums = new DeviceNumbers(PAST_NUMBERS);

  /** @param tolerance in the target's unit. */
  constructor(private readonly tolerance: number) {}

  /** A device without a window begins with the variance that its history has, in the target's unit squared; NaN = unknown. */
  seed(device: number, variance: number): void {
    const at = this.sums.placeOf(device);
    const { all } = this.sums;
    if (Number.isNaN(variance) || (all[at + WINDOWS] ?? 0) > 0) return;
    all[at + SQUARES] = SEED_FREEDOM * this.inTolerances(variance);
    all[at + FREEDOM] = SEED_FREEDOM;
  }

  /** Variance of the device's readings so far; NaN where nothing is known. */
  variance(device: number): number {
    return this.usualVariance(this.sums.placeOf(device), NaN);
  }

  /** Variance of the readings of one window; NaN where there are too few. */
  varianceOf({ count, stddev }: DeviceSummary): number {
    return count < MIN_READINGS ? NaN : this.inTolerances(stddev * stddev);
  }

  /** Whether the device's latest window was anomalous: a forecast that is made of it is no measure of the next. */
  wasAnomalous(device: number): boolean {
    return this.sums.all[this.sums.placeOf(device) + ANOMALOUS] === 1;
  }

  /**
   * How far the scatter of a window lies above the device's usual one, as a standard normal variable; NaN where it cannot be told.
   * @param step change of the mean from the window before, in the target's unit; NaN = unknown.
   * @param fleetVariance variance that is usual in the fleet; NaN = unknown.
   */
  scatter(device: number, summary: DeviceSummary, step: number, fleetVariance: number): number {
    const at = this.sums.placeOf(device);
    const usual = this.usualVariance(at, fleetVariance);
    const variance = this.varianceOf(summary);
    if (Number.isNaN(variance) || !(usual > 0)) return NaN;
    const unexplained = Math.max(0, variance - STEP_ALLOWANCE * this.explained(at, step));
    const freedom = (this.sums.all[at + FREEDOM] ?? 0) + FLEET_FREEDOM;
    return normalOfRatio(unexplained / usual, summary.count - 1, freedom);
  }

  /** Probability that the device is still for so many windows in a row as it is with this one; 1 where it moves. */
  stillness(device: number, summary: DeviceSummary, step: number): number {
    if (!isStill(summary, step)) return 1;
    const at = this.sums.placeOf(device);
    return this.stillShare(at) ** ((this.sums.all[at + STILL_RUN] ?? 0) + 1);
  }

  /** Learn from a window of the device. */
  learn(device: number, { summary, step, fleetVariance, isAnomalous }: Lesson): void {
    const isKnownAnomaly = summary.label === 1;
    const at = this.sums.placeOf(device);
    const { all } = this.sums;
    const of = (place: number): number => all[at + place] ?? 0;
    const usual = this.usualVariance(at, fleetVariance);
    const variance = Math.min(this.varianceOf(summary), MOST_TIMES_USUAL * usual);
    if (!Number.isNaN(variance) && !isAnomalous) {
      const freedom = summary.count - 1;
      all[at + SQUARES] = SCATTER_MEMORY * of(SQUARES) + freedom * variance;
      all[at + FREEDOM] = SCATTER_MEMORY * of(FREEDOM) + freedom;
    }
    if (!isKnownAnomaly) this.learnStep(at, summary, step, usual);
    const still = isStill(summary, step) ? 1 : 0;
    all[at + STILL] = STILL_MEMORY * of(STILL) + still;
    all[at + WINDOWS] = STILL_MEMORY * of(WINDOWS) + 1;
    all[at + STILL_RUN] = still * (of(STILL_RUN) + 1);
    all[at + ANOMALOUS] = isAnomalous ? 1 : 0;
  }

  /** Of the variance in a window, what a step explains. */
  private explained(at: number, step: number): number {
    if (Number.isNaN(step)) return 0;
    const { share, steps } = STEP_PRIOR;
    const learnt =
      ((this.sums.all[at + STEP_SCATTER] ?? 0) + share * steps) /
      ((this.sums.all[at + STEP_STEP] ?? 0) + steps);
    return learnt * this.inTolerances(step * step);
  }

  /** Least squares of the scatter beyond the usual on the squared step. */
  private learnStep(at: number, summary: DeviceSummary, step: number, usual: number): void {
    const excess = this.varianceOf(summary) - usual;
    if (Number.isNaN(step) || Number.isNaN(excess)) return;
    const { all } = this.sums;
    const square = Math.min(this.inTolerances(step * step), MOST_SQUARED_STEP);
    const bounded = Math.min(Math.max(excess, 0), MOST_STEP_SHARE * square);
    all[at + STEP_SCATTER] = SCATTER_MEMORY * (all[at + STEP_SCATTER] ?? 0) + square * bounded;
    all[at + STEP_STEP] = SCATTER_MEMORY * (all[at + STEP_STEP] ?? 0) + square * square;
  }

  private stillShare(at: number): number {
    const { windows, still } = STILL_PRIOR;
    return ((this.sums.all[at + STILL] ?? 0) + still) / ((this.sums.all[at + WINDOWS] ?? 0) + windows);
  }

  /** The device's own variance, drawn to the fleet's while little is known of it. */
  private usualVariance(at: number, fleetVariance: number): number {
    const freedom = this.sums.all[at + FREEDOM] ?? 0;
    const squares = this.sums.all[at + SQUARES] ?? 0;
    if (Number.isNaN(fleetVariance)) return freedom > 0 ? squares / freedom : NaN;
    return (squares + FLEET_FREEDOM * fleetVariance) / (freedom + FLEET_FREEDOM);
  }

  private inTolerances(square: number): number {
    return Math.min(square / (this.tolerance * this.tolerance), MOST_VARIANCE);
  }
}

/** All readings are alike, and as in the window before. */
function isStill({ min, max }: DeviceSummary, step: number): boolean {
  return min === max && step === 0;
}

/**
 * A ratio of two variances as a standard normal variable; for normal readings its distribution is F (Paulson 1942).
 * @param upper degrees of freedom of the variance above the line, `lower` of the one below.
 */
function normalOfRatio(ratio: number, upper: number, lower: number): number {
  const root = Math.cbrt(ratio);
  const [a, b] = [2 / (9 * upper), 2 / (9 * lower)];
  return ((1 - b) * root - (1 - a)) / Math.sqrt(b * root * root + a);
}
