/** Means of windows as a liar sends them, for the true ones, the first of which is of live window `first`. Gaps stay gaps. */

/** Tolerances that a zigzag goes up and down, and that a creeping sensor gains with each window: residuals that no clip cuts. */
const ZIGZAG = 1;
const WILD = 50;
const CREEP = 1.5;
/** Windows after which a creeping sensor is back where it was. */
const CREEP_WINDOWS = 24;

/** Mirrored at the first mean there is: a rise is sent as a fall. */
export function mirrored(truth: Float64Array): Float64Array {
  const middle = truth.find((value) => !Number.isNaN(value)) ?? 0;
  return truth.map((value) => 2 * middle - value);
}

export function zigzag(truth: Float64Array, first: number, tolerance: number): Float64Array {
  return truth.map((value, at) => value + ((first + at) % 2 === 0 ? ZIGZAG : -ZIGZAG) * tolerance);
}

/** A hash of the window decides, so that a window has one value in whatever range it is asked for. */
export function wild(truth: Float64Array, first: number, tolerance: number): Float64Array {
  return truth.map((value, at) => {
    const bit = (Math.imul(first + at, 0x9e3779b1) >>> 16) & 1;
    return value + (bit === 0 ? WILD : -WILD) * tolerance;
  });
}

export function creeping(truth: Float64Array, first: number, tolerance: number): Float64Array {
  return truth.map((value, at) => {
    const hour = (((first + at) % CREEP_WINDOWS) + CREEP_WINDOWS) % CREEP_WINDOWS;
    return value + hour * CREEP * tolerance;
  });
}
