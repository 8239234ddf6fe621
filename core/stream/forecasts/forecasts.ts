import { type VersionId } from '../../contracts/ids';
import { ROW_LIMITS } from '../../contracts/limits';
import { featureCount, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { writeFeatures } from '../../model/features';
import {
  type AdaptedForecasts,
  adaptForecasts,
  type LatestChanges,
  latestChanges,
} from './adapted-forecasts';
import { deviceFactor } from './confidence';
import { type DeviceHistory } from './device-history';
import { type ForecastRequest } from './forecaster';
import { type ActiveVersion } from './versions';

/** Forecasts whose window is still open. `devices` are in the order of ids; tables are [versions][devices]. */
export interface OutstandingForecasts {
  readonly window: Micros;
  readonly devices: readonly number[];
  /** Mean of the window before: what persistence forecasts. */
  readonly previous: Float64Array;
  /** How much harder than others the device is to forecast. */
  readonly deviceFactor: Float64Array;
  readonly versions: readonly VersionOutlook[];
  /** What adapters need; undefined where no version has any. */
  readonly changes: LatestChanges | undefined;
}

/** One version's forecasts, with everything that it states about them beforehand. */
export interface VersionOutlook {
  readonly version: VersionId;
  /** Forecast mean of the target; NaN where the model gave none. */
  readonly prediction: Float64Array;
  /** Probability that |error| ≤ tolerance, before and after recalibration. */
  readonly raw: Float64Array;
  readonly confidence: Float64Array;
  /** How much harder than others the forecast is; see confidence.ts. */
  readonly factor: Float64Array;
  /**
   * Half the width of the band around the forecast; NaN = unknown. Of a version of an earlier release a reading outside of it is a predicted anomaly, else a
   * mean.
   */
  readonly margin: Float64Array;
  /** The same in the size that the error is expected to have; null for a version of an earlier release. */
  readonly bandLimit: number | null;
  /** undefined for a version without adapters. */
  readonly adapted: AdaptedForecasts | undefined;
}

export interface PlannedForecasts {
  readonly request: ForecastRequest;
  readonly devices: readonly number[];
}

/** Features of the devices that have, or hold, the window before `window` and enough lags; undefined when there is nothing to forecast. */
export function planForecasts(
  task: Task,
  window: Micros,
  devicesInOrder: readonly number[],
  history: DeviceHistory,
  versions: readonly ActiveVersion[],
): PlannedForecasts | undefined {
  if (versions.length === 0) return undefined;
  const before = window - task.windowMicros;
  const candidates = devicesInOrder.filter((device) => history.reaches(device, before));
  const inputs = featureCount(task);
  const features = new Float32Array(candidates.length * inputs);
  const devices: number[] = [];
  for (const device of candidates) {
    const series = history.series(device, before);
    if (writeFeatures(task, series, history.latestPlace, features, devices.length * inputs))
      devices.push(device);
  }
  if (devices.length === 0) return undefined;
  return {
    devices,
    request: {
      window,
      versions: versions.map(({ version }) => version),
      features: features.subarray(0, devices.length * inputs),
      rows: devices.length,
    },
  };
}

/** Turn the models' changes [versions, devices] into forecasts with their confidence, by the errors so far. */
export function makeForecasts(
  { request, devices }: PlannedForecasts,
  changes: Float32Array,
  history: DeviceHistory,
  versions: readonly ActiveVersion[],
  tolerance: number,
): OutstandingForecasts {
  const previous = Float64Array.from(devices, (device) => history.latestMean(device));
  const steps = devices.map((device) => history.meanStep(device));
  const known = steps
    .filter((step) => !Number.isNaN(step))
    .map((step) => Math.min(step, MAX_STEP_IN_TOLERANCES * tolerance));
  const meanStep = known.length === 0 ? NaN : known.reduce((sum, step) => sum + step, 0) / known.length;
  const factors = Float64Array.from(devices, (device, i) =>
    deviceFactor(history.relativeErrors(device), relativeStep(steps[i] ?? NaN, meanStep)),
  );
  const hasAdapters = versions.some(({ adapters }) => adapters !== undefined);
  const latest = hasAdapters ? latestChanges(request, tolerance) : undefined;
  return {
    window: request.window,
    devices,
    previous,
    deviceFactor: factors,
    changes: latest,
    versions: versions.map(({ version, errors, adapters, anomalies }, v) => {
      const changeOf = (i: number): number => changes[v * devices.length + i] ?? NaN;
      const stddev = errors.stddev();
      const factor = factors.map((ofDevice, i) => ofDevice * errors.changeFactor(changeOf(i)));
      const raw = factor.map((size) => {
        const probability = errors.rawProbability(size, meanStep);
        return Number.isNaN(probability) ? UNKNOWN_CONFIDENCE : probability;
      });
      const prediction = previous.map((mean, i) => mean + changeOf(i));
      const adapted =
        latest && adapters && adaptForecasts(adapters, { devices, previous, prediction }, latest, tolerance);
      const bandLimit = anomalies?.bandLimit ?? null;
      return {
        version,
        prediction,
        adapted,
        bandLimit,
        factor,
        raw,
        confidence: raw.map((probability) => errors.stated(probability)),
        margin:
          bandLimit === null
            ? Float64Array.from(devices, (device) => readingsMargin(stddev, history.usualVariance(device)))
            : factor.map((size) => bandLimit * size * stddev),
      };
    }),
  };
}

/** How far a reading may lie from the forecast, as versions of earlier releases have it. */
function readingsMargin(stddev: number, usualVariance: number): number {
  return ROW_LIMITS.predictedAnomalyZ * Math.sqrt(stddev * stddev + usualVariance);
}

/** Steps beyond so many tolerances count as this many, so that one wild sensor does not make all others look calm. */
const MAX_STEP_IN_TOLERANCES = 4;

/** Stated while nothing is known. */
const UNKNOWN_CONFIDENCE = 0.5;

/** Steps predict persistence's errors better than a model's: the square root halves the difference between devices. */
function relativeStep(step: number, meanStep: number): number {
  return meanStep > 0 ? Math.sqrt(step / meanStep) : NaN;
}
