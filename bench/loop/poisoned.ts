import { drawnPlaces } from './newcomers';
import { type ReadingLies } from './world';

/** The share of devices that send poisoned readings. */
export const POISONED_SHARE = 0.05;

/** Tolerances that a poisoned reading jumps: with a forecast's own step it lies about where a refit's residuals pull hardest. */
const JUMP = 1;

/** Places of the devices that poison their readings. */
export function poisoners(seed: number, devices: number): ReadonlySet<number> {
  return drawnPlaces(seed, 'poisoners', devices, POISONED_SHARE);
}

export function poison(seed: number, devices: number, tolerance: number): ReadingLies {
  const places = poisoners(seed, devices);
  return {
    source: (place) => place,
    means: (place, truth, first) => (places.has(place) ? against(truth, first, tolerance) : truth),
  };
}

/**
 * Every other window is true, so that a model knows what comes; the one behind it jumps the other way. Who sends such readings knows the
 * true change, which is what a good model forecasts.
 */
export function against(truth: Float64Array, first: number, tolerance: number): Float64Array {
  return truth.map((value, at) => {
    const before = truth[at - 1] ?? NaN;
    if ((first + at) % 2 === 0 || Number.isNaN(before) || Number.isNaN(value)) return value;
    return before - Math.sign(value - before) * JUMP * tolerance;
  });
}
