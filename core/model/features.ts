import { type FeatureSums } from '../contracts/site-reports';
import { featureCount, type FeatureTask, minLags } from '../contracts/task';
import { FEATURE_CLIP, type DeviceSeries, type FeatureScaling } from './types';

/**
 * Write the raw features known at the close of window `latest` into `out[at … at + featureCount(task))`: `lags` differences of the
 * target's means (newest first), then value and change of each covariate, then the target's level. Units are the series' own; what is
 * missing is NaN. Nothing after `latest` is read.
 *
 * @returns false, with nothing written, when there can be no forecast: the latest mean is missing, or fewer than
 *   `minLags` of the last `lags` means are there.
 */
export function writeFeatures(
  task: Pick<FeatureTask, 'lags'>,
  { target, covariates }: DeviceSeries,
  latest: number,
  out: Float32Array,
  at: number,
): boolean {
  const { lags } = task;
  if (!canForecast(task, target, latest)) return false;
  for (let lag = 0; lag < lags; lag += 1) out[at + lag] = changeAt(target, latest - lag);
  let next = at + lags;
  for (const covariate of covariates) {
    out[next] = valueAt(covariate, latest);
    out[next + 1] = changeAt(covariate, latest);
    next += 2;
  }
  out[next] = valueAt(target, latest);
  return true;
}

/** Whether a feature lies around a value of its own: covariates' values and the level. All others are differences and lie around 0. */
function isLevel({ lags }: FeatureTask, feature: number): boolean {
  return feature >= lags && (feature - lags) % 2 === 0;
}

function canForecast(task: Pick<FeatureTask, 'lags'>, target: Float64Array, latest: number): boolean {
  if (Number.isNaN(valueAt(target, latest))) return false;
  let present = 0;
  for (let lag = 0; lag < task.lags; lag += 1) {
    if (!Number.isNaN(valueAt(target, latest - lag))) present += 1;
  }
  return present >= minLags(task);
}

function valueAt(series: Float64Array, index: number): number {
  return series[index] ?? NaN;
}

function changeAt(series: Float64Array, index: number): number {
  return valueAt(series, index) - valueAt(series, index - 1);
}

/**
 * Scale rows of raw features `x[0 … rows · inputs)` in place: clip((raw − mean) / scale, ±4), and 0 where the value is
 * missing. The model file's graph does the same in ONNX.
 */
export function scaleFeatures(x: Float32Array, rows: number, scaling: FeatureScaling): void {
  const inputs = scaling.mean.length;
  const mean = Float32Array.from(scaling.mean);
  const scale = Float32Array.from(scaling.scale);
  let at = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let feature = 0; feature < inputs; feature += 1, at += 1) {
      const scaled = ((x[at] ?? NaN) - (mean[feature] ?? NaN)) / (scale[feature] ?? NaN);
      x[at] = Number.isNaN(scaled) ? 0 : Math.min(Math.max(scaled, -FEATURE_CLIP), FEATURE_CLIP);
    }
  }
}

export function emptyFeatureSums(task: FeatureTask): FeatureSums {
  const zeros = (): number[] => new Array<number>(featureCount(task)).fill(0);
  return { count: zeros(), sum: zeros(), sumOfSquares: zeros() };
}

/** Add the row of raw features at `x[at …]`; missing and infinite values count for nothing. */
export function addRow(sums: FeatureSums, x: Float32Array, at: number): void {
  for (let feature = 0; feature < sums.count.length; feature += 1) {
    const value = x[at + feature] ?? NaN;
    if (!Number.isFinite(value)) continue;
    sums.count[feature] = (sums.count[feature] ?? 0) + 1;
    sums.sum[feature] = (sums.sum[feature] ?? 0) + value;
    sums.sumOfSquares[feature] = (sums.sumOfSquares[feature] ?? 0) + value * value;
  }
}

/** The sums of both together, as new sums. */
export function mergeFeatureSums(one: FeatureSums, other: FeatureSums): FeatureSums {
  const plus = (name: keyof FeatureSums): number[] =>
    one[name].map((value, at) => value + (other[name][at] ?? 0));
  return { count: plus('count'), sum: plus('sum'), sumOfSquares: plus('sumOfSquares') };
}

/**
 * Scaling from sums: levels by mean and standard deviation, differences by 0 and root mean square, so that "no change" stays 0. A feature that never varies, or never came, has scale 1, or that share of a large level by which single precision is no matter.
 */
export function scalingOf(task: FeatureTask, sums: FeatureSums): FeatureScaling {
  const mean: number[] = [];
  const scale: number[] = [];
  sums.count.forEach((count, feature) => {
    const average = count === 0 ? 0 : (sums.sum[feature] ?? 0) / count;
    const centre = isLevel(task, feature) ? average : 0;
    const meanSquare = count === 0 ? 0 : (sums.sumOfSquares[feature] ?? 0) / count;
    const variance = meanSquare - centre * centre;
    // What is left of a constant level after subtraction is rounding, not spread.
    const spreads = variance > VARIANCE_FLOOR * meanSquare;
    mean.push(centre);
    scale.push(spreads ? Math.sqrt(variance) : Math.max(1, LEVEL_WITHOUT_SPREAD * Math.abs(centre)));
  });
  return { mean, scale };
}

/** Doubles keep 16 digits; a variance of less than this share of the mean square cannot be told from rounding. */
const VARIANCE_FLOOR = 1e-12;

/** A level that does not vary is still known to 2⁻²³ of itself alone: in units of 2⁻¹⁰ of it that rounding is nothing. */
const LEVEL_WITHOUT_SPREAD = 2 ** -10;
