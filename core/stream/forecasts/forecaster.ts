import { type VersionId } from '../../contracts/ids';

/** Request for forecasts of the next window once one has closed, for all devices and versions at once. */
export interface ForecastRequest {
  /** Start of the window that is forecast. */
  readonly window: number;
  readonly versions: readonly VersionId[];
  /** Raw features [rows, inputs] as `writeFeatures` writes them, NaN where missing. */
  readonly features: Float32Array;
  readonly rows: number;
}

/** Forecast changes of the target's mean, [versions, rows]. They must depend on the request alone: a replay makes them again. */
export type Forecaster = (request: ForecastRequest) => Promise<Float32Array>;
