import { type FeatureTask, featureCount, heldWindows, historyWindows } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { scaleFeatures, writeFeatures } from '../../model/features';
import { fillHeldMeans } from '../../model/held-means';
import { type DeviceSeries, type FeatureScaling } from '../../model/types';
import { type WindowRing } from './window-ring';

/** How readings become samples; the same for all sites and rounds of a deployment. */
export interface SampleUnits {
  readonly scaling: FeatureScaling;
  /** Targets are changes of the mean in units of this. */
  readonly tolerance: number;
}

/** Which targets: the last `windows` windows up to and including the one that starts at `until`. */
export interface TargetRange {
  readonly until: Micros;
  readonly windows: number;
}

/** What features are made of, and beside it the target's means alone: what is held is no actual value. */
export interface TargetSeries extends DeviceSeries {
  readonly actual: Float64Array;
}

/** A device's series with all that its `windows` targets look back on: target k lies at index `historyWindows(task)` + k. */
export function seriesOfTargets(
  ring: WindowRing,
  deviceId: string,
  { until, windows }: TargetRange,
): TargetSeries {
  const { task } = ring;
  const before = Math.max(...heldWindows(task));
  const series = ring.seriesUntil(deviceId, until, before + windows + historyWindows(task));
  const actual = series.target.slice(before);
  fillHeldMeans(task, series);
  const cut = (means: Float64Array): Float64Array => means.subarray(before);
  return { actual, target: cut(series.target), covariates: series.covariates.map(cut) };
}

/**
 * Write the sample of target `k` (features known at the close of the window before it, scaled later):
 * raw features to row `at` of `x`, (mean[w+1] − mean[w]) / tolerance to `y[at]`.
 * @returns false, with nothing written, where the target or the features are missing, or the change is one that single precision does not hold: one
 * such code for "no reading" would make every sum that it is in infinite.
 */
export function writeSample(
  task: FeatureTask,
  series: TargetSeries,
  target: number,
  tolerance: number,
  x: Float32Array,
  y: Float32Array,
  at: number,
): boolean {
  const index = target + historyWindows(task);
  const actual = series.actual[index] ?? NaN;
  const change = Math.fround((actual - (series.target[index - 1] ?? NaN)) / tolerance);
  if (!Number.isFinite(change)) return false;
  if (!writeFeatures(task, series, index - 1, x, at * featureCount(task))) return false;
  y[at] = change;
  return true;
}

/** Samples of several devices, densely packed, by device and then by window. */
export interface Samples {
  readonly count: number;
  /** Scaled features [count, inputs]. */
  readonly x: Float32Array;
  /** Actual change in tolerances [count]. */
  readonly y: Float32Array;
  /** Index of the sample's device in the list given [count]. */
  readonly device: Int32Array;
  /** How many windows before the newest target the sample's target lies; 0 = the newest [count]. */
  readonly age: Int32Array;
}

/** All samples of the devices' last windows; windows that are missing have none. */
export function collectSamples(
  ring: WindowRing,
  deviceIds: readonly string[],
  range: TargetRange,
  units: SampleUnits,
): Samples {
  const most = deviceIds.length * range.windows;
  const inputs = featureCount(ring.task);
  const x = new Float32Array(most * inputs);
  const y = new Float32Array(most);
  const device = new Int32Array(most);
  const age = new Int32Array(most);
  let count = 0;
  deviceIds.forEach((deviceId, index) => {
    const series = seriesOfTargets(ring, deviceId, range);
    for (let target = 0; target < range.windows; target += 1) {
      if (!writeSample(ring.task, series, target, units.tolerance, x, y, count)) continue;
      device[count] = index;
      age[count] = range.windows - 1 - target;
      count += 1;
    }
  });
  const packed = x.subarray(0, count * inputs);
  scaleFeatures(packed, count, units.scaling);
  return {
    count,
    x: packed,
    y: y.subarray(0, count),
    device: device.subarray(0, count),
    age: age.subarray(0, count),
  };
}

/** 1 where an error in tolerances is at most 1, else 0 (not a number counts as wrong). */
export function isCorrect(error: number): 0 | 1 {
  return Math.abs(error) <= 1 ? 1 : 0;
}
