import { z } from 'zod';
import { softCorrect } from '../../contracts/soft-score';
import { DeviceRidge, TERMS } from './device-ridge';

/**
 * The device adapters of one version in one partition: each device corrects the version's forecasts by its own past errors (device-ridge.ts),
 * and all together serve as much of the corrections as has helped the partition's devices lately: all, half or none.
 */

/** Forecasts of one window, a place a device; all in tolerances. */
export interface AdapterRows {
  readonly devices: readonly number[];
  /** Change that the version forecasts; NaN where it forecasts none. */
  readonly forecast: Float64Array;
  /** The last change and the one before it; NaN where unknown. */
  readonly last: Float64Array;
  readonly before: Float64Array;
}

/** Precision of "no correction": what so many forecasts of the fleet's usual size tell. */
const PRIOR = 30;
/** A term that is 0 for the whole fleet has a prior all the same. */
const MIN_SQUARE = 1e-3;
/** Share of the past that stays with each window: of the fleet's usual sizes, and of the gain by which the adapters serve. */
const SCALE_MEMORY = 0.99;
const GAIN_MEMORY = 0.7;
/**
 * Shares of the corrections that may be served. While devices' pasts are short, half of what they say is right more often than all of it
 * (docs/closed-loop.md).
 */
const SHARES = [0.5, 1] as const;
/** No device counts for more than this in a window's gain: those that send what suits their own adapters do not decide for the others. */
const MAX_GAIN = 0.05;
/** Changes beyond so many tolerances count as this many. */
const MAX_CHANGE = 6;

/** What the adapters know beside their devices' sums, as a checkpoint keeps it. */
export const savedAdaptersSchema = z.object({
  weight: z.number(),
  squares: z.array(z.number()).length(TERMS - 1),
  gains: z.array(z.number()).length(SHARES.length),
});
export type SavedAdapters = z.infer<typeof savedAdaptersSchema>;

export class VersionAdapters {
  readonly ridge = new DeviceRidge();
  /** Faded number of forecasts learnt from, and sums of squares of their terms but the first, which is 1. */
  private weight = 0;
  private readonly squares = new Float64Array(TERMS - 1);
  /** By share of the corrections: faded mean over the devices of σ((1 − |e|)/0.25) with it − without, clipped. */
  private readonly gains = new Float64Array(SHARES.length);

  /** Nothing was learnt yet, nor inherited. */
  get isNew(): boolean {
    return this.weight === 0;
  }

  /** The share of the next window's corrections that is served; 0 = none. */
  get share(): number {
    const best = Math.max(...this.gains);
    return best > 0 ? (SHARES[this.gains.lastIndexOf(best)] ?? 0) : 0;
  }

  /** By what each device's past corrects its forecast; 0 where there is none. */
  corrections({ devices, forecast, last, before }: AdapterRows): Float64Array {
    const corrections = new Float64Array(devices.length);
    if (this.isNew) return corrections;
    const prior = this.prior();
    devices.forEach((device, i) => {
      const change = forecast[i] ?? NaN;
      if (Number.isNaN(change)) return;
      corrections[i] = this.ridge.correction(
        device,
        prior,
        bounded(change),
        bounded(last[i]),
        bounded(before[i]),
      );
    });
    return corrections;
  }

  /**
   * Learn from the window that was forecast.
   * @param actual change that came; NaN where none did.
   * @param corrections as they were made for these forecasts.
   */
  learn(
    { devices, forecast, last, before }: AdapterRows,
    actual: Float64Array,
    corrections: Float64Array,
  ): void {
    const { squares, gains } = this;
    let compared = 0;
    let [half, whole] = [0, 0];
    let [s1, s2, s3] = [0, 0, 0];
    devices.forEach((device, i) => {
      const error = (actual[i] ?? NaN) - (forecast[i] ?? NaN);
      if (Number.isNaN(error)) return;
      const z1 = bounded(forecast[i]);
      const z2 = bounded(last[i]);
      const z3 = bounded(before[i]);
      const correction = corrections[i] ?? 0;
      const own = softCorrect(error);
      half += clipped(softCorrect(error - SHARES[0] * correction) - own, MAX_GAIN);
      whole += clipped(softCorrect(error - SHARES[1] * correction) - own, MAX_GAIN);
      s1 += z1 * z1;
      s2 += z2 * z2;
      s3 += z3 * z3;
      this.ridge.learn(device, z1, z2, z3, error);
      compared += 1;
    });
    if (compared === 0) return;
    [half, whole].forEach((gain, at) => {
      gains[at] = GAIN_MEMORY * (gains[at] ?? 0) + ((1 - GAIN_MEMORY) * gain) / compared;
    });
    this.weight = SCALE_MEMORY * this.weight + compared;
    [s1, s2, s3].forEach((sum, term) => {
      squares[term] = SCALE_MEMORY * (squares[term] ?? 0) + sum;
    });
  }

  /** Begin as another version's are: versions differ by little, and a device's past is worth most where it is long. */
  inherit(parent: VersionAdapters): void {
    this.ridge.sums.copyFrom(parent.ridge.sums);
    this.restore(parent.save());
  }

  save(): SavedAdapters {
    return { weight: this.weight, squares: [...this.squares], gains: [...this.gains] };
  }

  restore({ weight, squares, gains }: SavedAdapters): void {
    this.weight = weight;
    this.squares.set(squares);
    this.gains.set(gains);
  }

  /** By term, at the fleet's usual sizes so far. */
  private prior(): Float64Array {
    const prior = new Float64Array(TERMS).fill(PRIOR * (1 + MIN_SQUARE));
    this.squares.forEach((sum, term) => {
      prior[term + 1] = PRIOR * (sum / this.weight + MIN_SQUARE);
    });
    return prior;
  }
}

/** A change as a term: none where it is unknown. */
function bounded(change = NaN): number {
  return Number.isNaN(change) ? 0 : clipped(change, MAX_CHANGE);
}

function clipped(value: number, most: number): number {
  return Math.min(Math.max(value, -most), most);
}
