import { DEFAULT_STREAM_SETTINGS } from './settings';
import { type Micros, MICROS_PER_SECOND } from './time';

/** Which window fits how often devices send: the same in `fedloop init`, and in what `fedloop status` advises. */

/** Lengths that people choose; windows of them begin at full hours and days. */
const ROUND_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800,
  604_800,
];
const SECONDS_PER_DAY = 86_400;

/** The shortest round length of at least `micros`; beyond a week it is of whole days. */
export function roundLength(micros: Micros): Micros {
  const seconds = micros / MICROS_PER_SECOND;
  const days = Math.ceil(seconds / SECONDS_PER_DAY) * SECONDS_PER_DAY;
  return (ROUND_SECONDS.find((length) => length >= seconds) ?? days) * MICROS_PER_SECOND;
}

/** Readings of a device that a window should have, for its mean; a reading that is held fills windows by itself. */
const READINGS_PER_WINDOW = 4;

/** How often a device sends, in microseconds of event time. */
export interface Sending {
  readonly betweenReadings: Micros;
  /** Between windows with readings: longer than between readings where they come in bursts. */
  readonly betweenWindows?: Micros;
  /** A reading stays true for a while (`hold`). */
  readonly isHeld: boolean;
}

/** The shortest round window, never below the default, in which a device has four readings, or one that is held, every time. */
export function suggestedWindow({ betweenReadings, betweenWindows = 0, isHeld }: Sending): Micros {
  const needed = isHeld
    ? betweenReadings
    : Math.max(READINGS_PER_WINDOW * betweenReadings, 2 * betweenWindows);
  return roundLength(Math.max(needed, DEFAULT_STREAM_SETTINGS.task.windowMicros));
}
