import { type VersionId } from '../contracts/ids';

/** One hidden layer of ReLU units, one output. Parameters: inputs·hidden + hidden + hidden + 1. */
export interface NetworkShape {
  readonly inputs: number;
  readonly hidden: number;
}

export function parameterCount(shape: NetworkShape): number {
  return shape.inputs * shape.hidden + 2 * shape.hidden + 1;
}

/**
 * Weights of one network in one row of `parameterCount(shape)` numbers:
 * W1 [inputs, hidden] row-major, then b1 [hidden], W2 [hidden], b2 [1].
 */
export type FlatWeights = Float32Array;

/** Windows a forecast looks back on, and how many of them must be there (the latest always). */
export const LAGS = 24;
export const MIN_LAGS = 20;

/** 24 differences of the means (newest first), humidity, its difference, pressure, its difference, level. */
export const FEATURES = LAGS + 5;

export const PRODUCT_SHAPE: NetworkShape = { inputs: FEATURES, hidden: 32 };

/** Per feature: scaled = clip((raw − mean) / scale, ±4); a missing raw value (NaN) becomes 0 after scaling. */
export interface FeatureScaling {
  readonly mean: readonly number[];
  readonly scale: readonly number[];
}

/** Scaled features are clipped here, so that one spike cannot drown a batch. */
export const FEATURE_CLIP = 4;

/** What a model file carries beside its graph. */
export interface ModelMetadata {
  readonly version: VersionId;
  readonly shape: NetworkShape;
  readonly scaling: FeatureScaling;
  /** The network's output times this is the forecast change of the mean in °C: targets are learned in tolerances. */
  readonly toleranceCelsius: number;
  /** Standard deviation of held-out residuals in °C; null while nothing is known (v0). */
  readonly residualStddev: number | null;
}

export interface GlobalModel {
  readonly metadata: ModelMetadata;
  readonly weights: FlatWeights;
}

/**
 * Means of one device on the window grid, oldest first; NaN where a window is missing.
 * Temperature in °C, relative humidity in %, pressure in hPa.
 */
export interface DeviceSeries {
  readonly avg: Float64Array;
  readonly humidity: Float64Array;
  readonly pressure: Float64Array;
}
