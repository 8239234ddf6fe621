import { type VersionId } from '../../contracts/ids';

/** What is asked when a window has closed: forecasts of the next one, for all its devices and versions at once. */
export interface ForecastRequest {
  /** Start of the window that is forecast. */
  readonly window: number;
  readonly versions: readonly VersionId[];
  /** Raw features [rows, inputs] as `writeFeatures` writes them, NaN where missing. */
  readonly features: Float32Array;
  readonly rows: number;
}

/** Forecast changes of the target's mean, [versions, rows]. Must depend on the request alone: a replay asks again. */
export type Forecaster = (request: ForecastRequest) => Promise<Float32Array>;
