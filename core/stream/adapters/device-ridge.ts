import { DeviceNumbers } from '../windows/device-numbers';

/**
 * Of each device a ridge regression of a version's errors on what was known when it forecast: recursive, so that nothing but sums is kept;
 * robust, so that a broken reading pulls no harder than others; forgetting, so that a device may change. All is in tolerances.
 *
 * With z = (1, forecast, last change, change before), e = actual − forecast and v = 1/(1 + (e/3)⁴), a device keeps S = Σ v z zᵀ and
 * m = Σ v clip(e, ±2) z, each older term worth 0.99 of the next. Its correction of a forecast is z · (S + diag(prior))⁻¹ m: none as long as nothing
 * was learnt. What the sums hold are single-precision numbers, rounded at each step, so that a checkpoint is small and still exact.
 */

/** What a correction depends on: 1, the forecast change, the last change and the one before. */
export const TERMS = 4;
/** Numbers of a device: the upper triangle of S row by row, then m. */
export const SUMS = (TERMS * (TERMS + 1)) / 2 + TERMS;

/** Share of a device's past that stays with each forecast that is compared: half is gone after 69. */
const MEMORY = 0.99;
/** Errors weigh half as much where they are so large. */
const ROBUST_SCALE = 3;
/** Errors beyond it pull no harder. */
const ERROR_CLIP = 2;
/** Nor does a device's past move a forecast further. */
const MAX_CORRECTION = 2;

export class DeviceRidge {
  /** Of each device. */
  readonly sums = new DeviceNumbers(SUMS);

  /**
   * By what a device's past corrects a forecast; 0 where it says nothing.
   * @param prior precision of "no correction", by term.
   */
  correction(
    device: number,
    prior: ArrayLike<number>,
    forecast: number,
    last: number,
    before: number,
  ): number {
    const at = device * SUMS;
    const sums = this.sums.all;
    if (at >= sums.length) return 0;
    const of = (place: number): number => sums[at + place] ?? 0;
    const [a01, a02, a03, a12, a13, a23] = [of(1), of(2), of(3), of(5), of(6), of(8)];
    // S + prior = L D Lᵀ; with u = L⁻¹ z and w = L⁻¹ m the correction is Σ u w / d.
    const d0 = of(0) + (prior[0] ?? 0);
    const [l10, l20, l30] = [a01 / d0, a02 / d0, a03 / d0];
    const d1 = of(4) + (prior[1] ?? 0) - l10 * a01;
    const [t21, t31] = [a12 - l10 * a02, a13 - l10 * a03];
    const [l21, l31] = [t21 / d1, t31 / d1];
    const d2 = of(7) + (prior[2] ?? 0) - l20 * a02 - l21 * t21;
    const t32 = a23 - l20 * a03 - l21 * t31;
    const l32 = t32 / d2;
    const d3 = of(9) + (prior[3] ?? 0) - l30 * a03 - l31 * t31 - l32 * t32;
    const u1 = forecast - l10;
    const u2 = last - l20 - l21 * u1;
    const u3 = before - l30 - l31 * u1 - l32 * u2;
    const w0 = of(10);
    const w1 = of(11) - l10 * w0;
    const w2 = of(12) - l20 * w0 - l21 * w1;
    const w3 = of(13) - l30 * w0 - l31 * w1 - l32 * w2;
    const correction = w0 / d0 + (u1 * w1) / d1 + (u2 * w2) / d2 + (u3 * w3) / d3;
    return Math.min(Math.max(correction, -MAX_CORRECTION), MAX_CORRECTION);
  }

  /** Learn from a forecast of the device and its error. */
  learn(device: number, forecast: number, last: number, before: number, error: number): void {
    const at = this.sums.placeOf(device);
    const sums = this.sums.all;
    const outlying = (error / ROBUST_SCALE) ** 2;
    const weight = 1 / (1 + outlying * outlying);
    const pull = weight * Math.min(Math.max(error, -ERROR_CLIP), ERROR_CLIP);
    let place = at;
    const add = (value: number): void => {
      sums[place] = MEMORY * (sums[place] ?? 0) + value;
      place += 1;
    };
    add(weight);
    add(weight * forecast);
    add(weight * last);
    add(weight * before);
    add(weight * forecast * forecast);
    add(weight * forecast * last);
    add(weight * forecast * before);
    add(weight * last * last);
    add(weight * last * before);
    add(weight * before * before);
    add(pull);
    add(pull * forecast);
    add(pull * last);
    add(pull * before);
  }
}
