import { type AdapterRows, type VersionAdapters } from '../adapters/version-adapters';
import { type ForecastRequest } from './forecaster';

/** Change of the devices' means in the last window, and in the one before it, in tolerances; NaN where unknown. */
export type LatestChanges = Pick<AdapterRows, 'last' | 'before'>;

/** By what each device would correct a version's forecast, and how much of that is served. */
export interface AdaptedForecasts {
  /** In tolerances. */
  readonly corrections: Float64Array;
  /** 0 = served as forecast, 1 = with the whole correction. */
  readonly share: number;
}

/** The newest two lags of the features. */
export function latestChanges({ features, rows }: ForecastRequest, tolerance: number): LatestChanges {
  const inputs = features.length / rows;
  const lag = (back: number): Float64Array =>
    Float64Array.from({ length: rows }, (_, row) => (features[row * inputs + back] ?? NaN) / tolerance);
  return { last: lag(0), before: lag(1) };
}

interface Forecasts {
  readonly devices: readonly number[];
  readonly previous: Float64Array;
  readonly prediction: Float64Array;
}

/** @param tolerance in the target's unit, as forecasts are. */
export function adaptForecasts(
  adapters: VersionAdapters,
  forecasts: Forecasts,
  changes: LatestChanges,
  tolerance: number,
): AdaptedForecasts {
  const { share } = adapters;
  return { corrections: adapters.corrections(rowsOf(forecasts, changes, tolerance)), share };
}

/** @param actual means that came; NaN where none did. */
export function learnFrom(
  adapters: VersionAdapters,
  forecasts: Forecasts,
  changes: LatestChanges,
  tolerance: number,
  { corrections }: AdaptedForecasts,
  actual: Float64Array,
): void {
  const came = actual.map((mean, i) => (mean - (forecasts.previous[i] ?? NaN)) / tolerance);
  adapters.learn(rowsOf(forecasts, changes, tolerance), came, corrections);
}

function rowsOf(
  { devices, previous, prediction }: Forecasts,
  changes: LatestChanges,
  tolerance: number,
): AdapterRows {
  const forecast = prediction.map((mean, i) => (mean - (previous[i] ?? NaN)) / tolerance);
  return { devices, forecast, ...changes };
}
