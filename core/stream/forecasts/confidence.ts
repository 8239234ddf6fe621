import normalCdf from '@stdlib/stats-base-dists-normal-cdf';
import { z } from 'zod';
import { Recalibration, savedRecalibrationSchema } from './recalibration';

/**
 * How sure a version may be of a forecast: the probability that |error| ≤ tolerance, from the errors of the version and of
 * the device so far.
 *
 * An error's size is modelled as `factor · u`. The factor is how much harder than others the forecast is: by the device's
 * earlier errors, and by the size of the change that is forecast. The distribution of u is not assumed: each version keeps a
 * histogram of what was seen, so that heavy tails (and stuck sensors, whose errors are 0) count as they are. Everything
 * starts from a prior worth a few observations and forgets slowly.
 */

/** Errors beyond so many tolerances count as this many, so that one wild sensor does not set the scale. */
const MAX_ERROR_IN_TOLERANCES = 4;

/** Weight of the held-out residuals, in live observations. */
const PRIOR_WEIGHT = 30;

/** Share of the past that stays when a window has been compared. */
const MEMORY = 0.9;

/** Weight, in windows, of the prior that a device's errors are to others' as its steps are. */
const DEVICE_PRIOR_WEIGHT = 3;
const MIN_FACTOR = 0.05;
const MAX_FACTOR = 20;

/** Weight, in observations, of the prior that a class of forecasts is no harder than others. */
const CHANGE_PRIOR_WEIGHT = 20;

/** Mean of |x| of a standard normal variable. */
const MEAN_ABS_NORMAL = Math.sqrt(2 / Math.PI);

/** Histogram of u in tolerances: bins equal in log₂ u, eight to an octave, from 2^−8 to 2^6; the ends take what lies outside. */
const BINS_PER_OCTAVE = 8;
const MIN_OCTAVE = -8;
const OCTAVES = 14;
const U_BINS = OCTAVES * BINS_PER_OCTAVE;

/** Upper edges, in tolerances, of the classes of forecasts by the size of the change. */
const CHANGE_EDGES = [0.1, 0.25, 0.5, 1, 2];
const CHANGE_CLASSES = CHANGE_EDGES.length + 1;

/** Errors of one version, as a checkpoint keeps them. */
export const savedErrorsSchema = z.object({
  weight: z.number(),
  absoluteSum: z.number(),
  squareSum: z.number(),
  histogram: z.array(z.number()),
  /** By class of forecast change: sum and weight of errors relative to the version's mean error. */
  changeSum: z.array(z.number()),
  changeWeight: z.array(z.number()),
  recalibration: savedRecalibrationSchema,
});
type SavedErrors = z.infer<typeof savedErrorsSchema>;

/** One forecast and its error, as a version learns from it. */
export interface Outcome {
  /** prediction − actual, in the target's unit. */
  readonly error: number;
  /** Forecast change of the target's mean. */
  readonly change: number;
  /** `deviceFactor` when it was made. */
  readonly device: number;
  /** All factors of the forecast together. */
  readonly factor: number;
  /** Raw probability of being correct that was given for it. */
  readonly raw: number;
}

export class VersionErrors {
  private weight = 0;
  private absoluteSum = 0;
  private squareSum = 0;
  private histogram = new Float64Array(U_BINS);
  private changeSum = new Float64Array(CHANGE_CLASSES);
  private changeWeight = new Float64Array(CHANGE_CLASSES);
  private readonly recalibration = new Recalibration();

  /** @param residualStddev held-out residuals of the model in the target's unit; null when there are none. */
  constructor(
    private readonly residualStddev: number | null,
    private readonly tolerance: number,
  ) {}

  /** Nothing was learnt yet, nor inherited. */
  get isNew(): boolean {
    return this.weight === 0;
  }

  /** Standard deviation of residuals, held-out and live together; NaN while there are none. */
  stddev(): number {
    if (this.residualStddev === null) return this.weight > 0 ? Math.sqrt(this.squareSum / this.weight) : NaN;
    const prior = this.residualStddev * this.residualStddev;
    return Math.sqrt((PRIOR_WEIGHT * prior + this.squareSum) / (PRIOR_WEIGHT + this.weight));
  }

  /** How much larger than usual the errors of forecasts of such a change are. */
  changeFactor(change: number): number {
    const place = this.classOf(change);
    const seen = this.changeWeight[place] ?? 0;
    return ((this.changeSum[place] ?? 0) + CHANGE_PRIOR_WEIGHT) / (seen + CHANGE_PRIOR_WEIGHT);
  }

  /**
   * Raw probability that |error| is at most the tolerance, for a forecast with this factor; `stated` recalibrates it.
   * @param fallback mean absolute error to start from when the model has no held-out residuals; NaN = unknown.
   * @returns NaN while nothing is known.
   */
  rawProbability(factor: number, fallback: number): number {
    const prior = this.residualStddev ?? fallback / MEAN_ABS_NORMAL;
    const priorWeight = prior >= 0 ? PRIOR_WEIGHT : 0;
    if (priorWeight + this.weight === 0) return NaN;
    const priorShare = priorWeight === 0 ? 0 : normalWithin(this.tolerance / (factor * prior));
    return (priorWeight * priorShare + this.weightWithin(1 / factor)) / (priorWeight + this.weight);
  }

  /** The probability to state in place of a raw one, recalibrated by earlier outcomes. */
  stated(raw: number): number {
    return this.recalibration.stated(raw);
  }

  /**
   * Learn from the forecasts of one window.
   * @returns the size of each error divided by the version's mean one, these included. So factors stay around 1, however
   *   wrong the held-out residuals were.
   */
  learn(outcomes: readonly Outcome[]): readonly number[] {
    if (outcomes.length === 0) return [];
    const fromPriorAlone = this.weight === 0;
    this.fade();
    const sizes = outcomes.map(({ error }) =>
      Math.min(Math.abs(error), MAX_ERROR_IN_TOLERANCES * this.tolerance),
    );
    for (const size of sizes) {
      this.weight += 1;
      this.absoluteSum += size;
      this.squareSum += size * size;
    }
    const mean = this.absoluteSum / this.weight;
    const relative = sizes.map((size) => (mean > 0 ? size / mean : 1));
    outcomes.forEach(({ error, change, device, factor }, i) => {
      const u = Math.abs(error) / (factor * this.tolerance);
      const bin = Math.min(U_BINS - 1, Math.floor(placeOf(u)));
      this.histogram[bin] = (this.histogram[bin] ?? 0) + 1;
      const place = this.classOf(change);
      this.changeSum[place] = (this.changeSum[place] ?? 0) + (relative[i] ?? 1) / device;
      this.changeWeight[place] = (this.changeWeight[place] ?? 0) + 1;
    });
    // A wrong prior is corrected by the histogram; to recalibrate by its outcomes as well would overshoot.
    if (fromPriorAlone) return relative;
    this.recalibration.learn(
      outcomes.map(({ error, raw }) => ({ raw, correct: Math.abs(error) <= this.tolerance })),
    );
    return relative;
  }

  save(): SavedErrors {
    return {
      weight: this.weight,
      absoluteSum: this.absoluteSum,
      squareSum: this.squareSum,
      histogram: [...this.histogram],
      changeSum: [...this.changeSum],
      changeWeight: [...this.changeWeight],
      recalibration: this.recalibration.save(),
    };
  }

  restore(saved: SavedErrors): void {
    this.weight = saved.weight;
    this.absoluteSum = saved.absoluteSum;
    this.squareSum = saved.squareSum;
    this.histogram = Float64Array.from(saved.histogram);
    this.changeSum = Float64Array.from(saved.changeSum);
    this.changeWeight = Float64Array.from(saved.changeWeight);
    this.recalibration.restore(saved.recalibration);
  }

  private fade(): void {
    this.weight *= MEMORY;
    this.absoluteSum *= MEMORY;
    this.squareSum *= MEMORY;
    this.histogram = this.histogram.map((weight) => weight * MEMORY);
    this.changeSum = this.changeSum.map((sum) => sum * MEMORY);
    this.changeWeight = this.changeWeight.map((weight) => weight * MEMORY);
  }

  /** Weight of what was seen at or below u; the bin of u counts as evenly filled. */
  private weightWithin(u: number): number {
    const place = placeOf(u);
    const whole = Math.floor(place);
    let below = (this.histogram[whole] ?? 0) * (place - whole);
    for (let bin = 0; bin < whole; bin += 1) below += this.histogram[bin] ?? 0;
    return below;
  }

  private classOf(change: number): number {
    const inTolerances = Math.abs(change) / this.tolerance;
    const place = CHANGE_EDGES.findIndex((edge) => inTolerances <= edge);
    return place < 0 ? CHANGE_EDGES.length : place;
  }
}

/**
 * How much larger than usual the errors for a device are: by its errors so far, drawn towards what its steps from window
 * to window suggest.
 * @param relativeStep the device's mean step ÷ that of all devices; NaN when unknown.
 */
export function deviceFactor(
  errors: { readonly sum: number; readonly weight: number },
  relativeStep: number,
): number {
  const prior = Number.isNaN(relativeStep) ? 1 : relativeStep;
  const factor = (DEVICE_PRIOR_WEIGHT * prior + errors.sum) / (DEVICE_PRIOR_WEIGHT + errors.weight);
  return Math.min(Math.max(factor, MIN_FACTOR), MAX_FACTOR);
}

function placeOf(u: number): number {
  const place = (Math.log2(u) - MIN_OCTAVE) * BINS_PER_OCTAVE;
  return Math.min(Math.max(place, 0), U_BINS);
}

/** P(|x| ≤ limit) of a standard normal variable. */
function normalWithin(limit: number): number {
  return 2 * normalCdf(limit, 0, 1) - 1;
}
