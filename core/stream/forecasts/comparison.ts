import { type EvaluationColumns, type Regime } from '../../contracts/blocks';
import { ROW_LIMITS } from '../../contracts/limits';
import { isMeasure } from '../../contracts/storable';
import { type Task } from '../../contracts/task';
import {
  type ForecastError,
  type Judgement,
  NOT_JUDGED,
  type VersionAnomalies,
} from '../anomalies/version-anomalies';
import { type Finding, type WindowDetector } from '../anomalies/window-detector';
import { middleOf } from '../windows/statistics';
import { type DeviceSummary } from '../windows/summary';
import { type AdaptedForecasts, learnFrom } from './adapted-forecasts';
import { type Outcome } from './confidence';
import { type DeviceHistory } from './device-history';
import { type OutstandingForecasts, type VersionOutlook } from './forecasts';
import { type ActiveVersion } from './versions';

/** What the devices' pasts say of a window. */
export interface DetectedWindow {
  readonly detector: WindowDetector;
  readonly findings: ReadonlyMap<number, Finding>;
}

interface Comparison {
  readonly forecasts: OutstandingForecasts;
  /** The window by device; a device that sent nothing is not in it. */
  readonly summaries: ReadonlyMap<number, DeviceSummary>;
  readonly versions: readonly ActiveVersion[];
  readonly idOf: (device: number) => string;
  readonly history: DeviceHistory;
  readonly task: Task;
  /** undefined where no version asks. */
  readonly detected: DetectedWindow | undefined;
  /** Rows are appended here. */
  readonly out: EvaluationColumns;
}

/** Compare forecasts with their window: a row a version and device. Both learn from their errors afterwards. */
export function evaluateForecasts(comparison: Comparison): void {
  const { forecasts, versions, history } = comparison;
  const relativeSum = new Float64Array(forecasts.devices.length);
  const relativeCount = new Float64Array(forecasts.devices.length);
  for (const outlook of forecasts.versions) {
    const active = versions.find(({ version }) => version === outlook.version);
    const compared = compareVersion(comparison, outlook, active);
    learnFromAdapted(comparison, outlook, active, compared);
    active?.errors.learn(compared.outcomes).forEach((relative, i) => {
      const place = compared.places[i] ?? 0;
      relativeSum[place] = (relativeSum[place] ?? 0) + relative;
      relativeCount[place] = (relativeCount[place] ?? 0) + 1;
    });
  }
  forecasts.devices.forEach((device, i) => {
    const count = relativeCount[i] ?? 0;
    if (count > 0) history.learnRelativeError(device, (relativeSum[i] ?? 0) / count);
  });
}

/** Forecasts of one version that had something to be compared with, in the order of devices. */
interface Compared {
  readonly outcomes: Outcome[];
  /** Places of these devices among those that were forecast. */
  readonly places: number[];
}

function compareVersion(
  comparison: Comparison,
  outlook: VersionOutlook,
  active: ActiveVersion | undefined,
): Compared {
  const { forecasts, summaries, idOf, task, out } = comparison;
  const { tolerance } = task.target;
  const compared: Compared = { outcomes: [], places: [] };
  const anomalies = anomaliesOf(comparison, outlook, active?.anomalies);
  forecasts.devices.forEach((device, i) => {
    const actual = summaries.get(device);
    const prediction = outlook.prediction[i] ?? NaN;
    if (actual === undefined || !Number.isFinite(prediction)) return;
    const previous = forecasts.previous[i] ?? NaN;
    const error = prediction - actual.mean;
    out.model_version.push(outlook.version);
    out.device_id.push(idOf(device));
    out.prediction_result.push(prediction);
    out.served_result.push(servedResult(prediction, outlook.adapted, i, tolerance));
    out.actual_result.push(actual.mean);
    out.error.push(error);
    out.loss.push(error * error);
    out.is_correct.push(Math.abs(error) <= tolerance ? 1 : 0);
    out.confidence.push(outlook.confidence[i] ?? NaN);
    out.persistence_error.push(previous - actual.mean);
    anomalies.push(out, device, i, actual);
    out.regime.push(regimeOf(actual.mean - previous, tolerance));
    compared.outcomes.push({
      error,
      change: prediction - previous,
      device: forecasts.deviceFactor[i] ?? 1,
      factor: outlook.factor[i] ?? 1,
      raw: outlook.raw[i] ?? NaN,
    });
    compared.places.push(i);
  });
  anomalies.learn();
  return compared;
}

function learnFromAdapted(
  { forecasts, summaries, task }: Comparison,
  { prediction, adapted }: VersionOutlook,
  active: ActiveVersion | undefined,
  { places }: Compared,
): void {
  if (!active?.adapters || !adapted || !forecasts.changes) return;
  const came = new Float64Array(forecasts.devices.length).fill(NaN);
  for (const place of places) came[place] = summaries.get(forecasts.devices[place] ?? -1)?.mean ?? NaN;
  const made = { ...forecasts, prediction };
  learnFrom(active.adapters, made, forecasts.changes, task.target.tolerance, adapted, came);
}

/** Fills the columns about anomalies, row by row. */
interface AnomalyColumns {
  push(out: EvaluationColumns, device: number, place: number, actual: DeviceSummary): void;
  /** Once all rows of the version are there. */
  learn(): void;
}

function anomaliesOf(
  { forecasts, summaries, detected }: Comparison,
  outlook: VersionOutlook,
  anomalies: VersionAnomalies | undefined,
): AnomalyColumns {
  const { bandLimit } = outlook;
  if (anomalies === undefined || detected === undefined || bandLimit === null) return byMargin(outlook);
  const { detector, findings } = detected;
  const scatterLimit = detector.scatterLimit(anomalies.falseAlarms);
  const shared = commonError(forecasts, outlook, summaries);
  const errors: ForecastError[] = [];
  return {
    push: (out, device, place, { mean, label }) => {
      const band = outlook.margin[place] ?? NaN;
      const error = (outlook.prediction[place] ?? NaN) - mean - shared;
      const finding = findings.get(device);
      const judgement = finding && anomalies.judge(finding, error, band, bandLimit, scatterLimit);
      pushAnomaly(out, { band: isMeasure(band) ? band : null, ...(judgement ?? NOT_JUDGED) }, label);
      errors.push({ error, band, bandLimit, label, followsAnomaly: finding?.followsAnomaly === true });
    },
    learn: () => {
      anomalies.learn(errors);
    },
  };
}

/** With fewer devices a common error is hardly told from their own. */
const MIN_NEIGHBOURS = 20;

/**
 * By how much the version errs for all devices of the partition alike, in the target's unit: their median. A front that nobody foresaw is the weather's,
 * and no device's anomaly. 0 among few devices.
 */
function commonError(
  { devices }: OutstandingForecasts,
  { prediction }: VersionOutlook,
  summaries: ReadonlyMap<number, DeviceSummary>,
): number {
  const errors = Float64Array.from(devices, (device, i) => {
    return (prediction[i] ?? NaN) - (summaries.get(device)?.mean ?? NaN);
  }).filter((error) => Number.isFinite(error));
  return errors.length < MIN_NEIGHBOURS ? 0 : middleOf(errors);
}

/** As versions of earlier releases do: some reading lies outside the margin around the forecast. */
function byMargin(outlook: VersionOutlook): AnomalyColumns {
  return {
    push: (out, _device, place, { min, max, anomaly }) => {
      const margin = outlook.margin[place] ?? NaN;
      const prediction = outlook.prediction[place] ?? NaN;
      const isOutside = max - prediction > margin || prediction - min > margin;
      const predicted = Number.isNaN(margin) ? null : isOutside ? 1 : 0;
      pushAnomaly(out, { ...NOT_JUDGED, predicted, band: null }, anomaly);
    },
    learn: () => undefined,
  };
}

function pushAnomaly(
  out: EvaluationColumns,
  { predicted, kind, score, band }: Judgement & { readonly band: number | null },
  actual: 0 | 1 | null,
): void {
  out.predicted_anomaly.push(predicted);
  out.band.push(band);
  out.anomaly_score.push(score);
  out.anomaly_kind.push(kind);
  out.actual_anomaly.push(actual);
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

/** `rising` or `falling` when the mean moved by more than half a tolerance from the window before. */
function regimeOf(change: number, tolerance: number): Regime {
  const edge = ROW_LIMITS.regimeShareOfTolerance * tolerance;
  if (change > edge) return 'rising';
  return change < -edge ? 'falling' : 'steady';
}
