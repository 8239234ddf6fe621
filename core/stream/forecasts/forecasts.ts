import { type EvaluationColumns, type Regime } from '../../contracts/blocks';
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
  learnFrom,
} from './adapted-forecasts';
import { deviceFactor, type Outcome } from './confidence';
import { type DeviceHistory } from './device-history';
import { type ForecastRequest } from './forecaster';
import { type DeviceSummary } from '../windows/summary';
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
interface VersionOutlook {
  readonly version: VersionId;
  /** Forecast mean of the target; NaN where the model gave none. */
  readonly prediction: Float64Array;
  /** Probability that |error| ≤ tolerance, before and after recalibration. */
  readonly raw: Float64Array;
  readonly confidence: Float64Array;
  /** How much harder than others the forecast is; see confidence.ts. */
  readonly factor: Float64Array;
  /** A reading further than this from the forecast is a predicted anomaly; NaN = unknown. */
  readonly margin: Float64Array;
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
    versions: versions.map(({ version, errors, adapters }, v) => {
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
      return {
        version,
        prediction,
        adapted,
        factor,
        raw,
        confidence: raw.map((probability) => errors.stated(probability)),
        margin: Float64Array.from(devices, (device) => {
          return ROW_LIMITS.predictedAnomalyZ * Math.sqrt(stddev * stddev + history.usualVariance(device));
        }),
      };
    }),
  };
}

/** Steps beyond so many tolerances count as this many, so that one wild sensor does not make all others look calm. */
const MAX_STEP_IN_TOLERANCES = 4;

/** Stated while nothing is known. */
const UNKNOWN_CONFIDENCE = 0.5;

/** Steps predict persistence's errors better than a model's: the square root halves the difference between devices. */
function relativeStep(step: number, meanStep: number): number {
  return meanStep > 0 ? Math.sqrt(step / meanStep) : NaN;
}

interface Comparison {
  readonly forecasts: OutstandingForecasts;
  /** The window by device; a device that sent nothing is not in it. */
  readonly summaries: ReadonlyMap<number, DeviceSummary>;
  readonly versions: readonly ActiveVersion[];
  readonly idOf: (device: number) => string;
  readonly history: DeviceHistory;
  readonly task: Task;
  /** Rows are appended here. */
  readonly out: EvaluationColumns;
}

/** Compare forecasts with their window: a row a version and device. Both learn from their errors afterwards. */
export function evaluateForecasts(comparison: Comparison): void {
  const { forecasts, summaries, versions, idOf, history, task, out } = comparison;
  const { tolerance } = task.target;
  const actuals = forecasts.devices.map((device) => summaries.get(device));
  const relativeSum = new Float64Array(forecasts.devices.length);
  const relativeCount = new Float64Array(forecasts.devices.length);
  for (const outlook of forecasts.versions) {
    const active = versions.find(({ version }) => version === outlook.version);
    const { adapted } = outlook;
    const outcomes: Outcome[] = [];
    const compared: number[] = [];
    const came = new Float64Array(forecasts.devices.length).fill(NaN);
    forecasts.devices.forEach((device, i) => {
      const actual = actuals[i];
      const prediction = outlook.prediction[i] ?? NaN;
      if (actual === undefined || !Number.isFinite(prediction)) return;
      const previous = forecasts.previous[i] ?? NaN;
      const error = prediction - actual.mean;
      out.model_version.push(outlook.version);
      out.device_id.push(idOf(device));
      out.prediction_result.push(prediction);
      out.served_result.push(servedResult(prediction, adapted, i, tolerance));
      out.actual_result.push(actual.mean);
      out.error.push(error);
      out.loss.push(error * error);
      out.is_correct.push(Math.abs(error) <= tolerance ? 1 : 0);
      out.confidence.push(outlook.confidence[i] ?? NaN);
      out.persistence_error.push(previous - actual.mean);
      out.predicted_anomaly.push(predictedAnomaly(prediction, actual, outlook.margin[i] ?? NaN));
      out.actual_anomaly.push(actual.anomaly);
      out.regime.push(regimeOf(actual.mean - previous, tolerance));
      outcomes.push({
        error,
        change: prediction - previous,
        device: forecasts.deviceFactor[i] ?? 1,
        factor: outlook.factor[i] ?? 1,
        raw: outlook.raw[i] ?? NaN,
      });
      compared.push(i);
      came[i] = actual.mean;
    });
    if (active?.adapters && adapted && forecasts.changes) {
      const made = { ...forecasts, prediction: outlook.prediction };
      learnFrom(active.adapters, made, forecasts.changes, tolerance, adapted, came);
    }
    active?.errors.learn(outcomes).forEach((relative, i) => {
      const place = compared[i] ?? 0;
      relativeSum[place] = (relativeSum[place] ?? 0) + relative;
      relativeCount[place] = (relativeCount[place] ?? 0) + 1;
    });
  }
  forecasts.devices.forEach((device, i) => {
    const count = relativeCount[i] ?? 0;
    if (count > 0) history.learnRelativeError(device, (relativeSum[i] ?? 0) / count);
  });
}

/** null where the forecast is served as it is. */
function servedResult(
  prediction: number,
  adapted: AdaptedForecasts | undefined,
  place: number,
  tolerance: number,
): number | null {
  if (adapted === undefined || adapted.share === 0) return null;
  return prediction + adapted.share * (adapted.corrections[place] ?? 0) * tolerance;
}

/** Whether some reading lies outside the margin around the forecast; null when the margin is unknown. */
function predictedAnomaly(prediction: number, { min, max }: DeviceSummary, margin: number): 0 | 1 | null {
  if (Number.isNaN(margin)) return null;
  return max - prediction > margin || prediction - min > margin ? 1 : 0;
}

/** `rising` or `falling` when the mean moved by more than half a tolerance from the window before. */
function regimeOf(change: number, tolerance: number): Regime {
  const edge = ROW_LIMITS.regimeShareOfTolerance * tolerance;
  if (change > edge) return 'rising';
  return change < -edge ? 'falling' : 'steady';
}
