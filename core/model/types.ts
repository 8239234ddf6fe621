import { type VersionId } from '../contracts/ids';
import { featureCount, type FeatureTask } from '../contracts/task';

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

/** The product's network for a task. */
export function networkShape(task: FeatureTask): NetworkShape {
  return { inputs: featureCount(task), hidden: 32 };
}

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
  /** The network's output times this is the forecast change of the mean: targets are learned in tolerances. */
  readonly tolerance: number;
  /** Of held-out residuals in the target's unit, as if they were normal; null while nothing is known (v0). */
  readonly residualStddev: number | null;
}

export interface GlobalModel {
  readonly metadata: ModelMetadata;
  readonly weights: FlatWeights;
}

/** Means of one device on the window grid, oldest first, in the sensors' units; NaN where a window is missing. */
export interface DeviceSeries {
  readonly target: Float64Array;
  /** Equally long, in the task's order. */
  readonly covariates: readonly Float64Array[];
}
