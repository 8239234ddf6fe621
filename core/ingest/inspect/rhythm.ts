import { isPlausible } from '../../contracts/events';
import { DEFAULT_STREAM_SETTINGS } from '../../contracts/settings';
import { type Micros } from '../../contracts/time';
import { type MappedReading } from '../readings';

/** When devices send, as far as a sample shows it; clocks that were never set are left out. All times in microseconds of event time. */
export interface Rhythm {
  readonly devices: number;
  readonly readings: number;
  /** From one reading of a device to its next: the median device's median. Undefined where no device has two. */
  readonly spacing: Micros | undefined;
  /** The same, such that nine of ten spacings are shorter. */
  readonly longSpacing: Micros | undefined;
  /** Spacings differ so much that devices seem to send when something changes. */
  readonly isIrregular: boolean;
  /** How far the latest of a thousand readings comes behind one that is later in time. */
  readonly lateness: Micros;
  /** The sample shows in which order readings arrive: it does not have one device after the other, as exports do. */
  readonly hasOrder: boolean;
  /** Share of the readings that have device and instant in common with one before, but another value. */
  readonly sameInstant: number;
  readonly from: Micros;
  readonly until: Micros;
}

/** @param keepsOrder whether the readings come from one place, in the order in which they lie there. */
export function rhythmOf(all: readonly MappedReading[], keepsOrder: boolean): Rhythm {
  const readings = all.filter(({ micros }) => isPlausible(DEFAULT_STREAM_SETTINGS.plausible, micros));
  const times = Float64Array.from(readings, ({ micros }) => micros).sort();
  const byDevice = new Map<string, MappedReading[]>();
  for (const reading of readings) {
    const own = byDevice.get(reading.deviceId);
    if (own === undefined) byDevice.set(reading.deviceId, [reading]);
    else own.push(reading);
  }
  const spacings = [...byDevice.values()].map(spacingsOf).filter(({ length }) => length > 0);
  const spacing = medianOf(spacings.map((own) => quantile(own, 0.5)));
  const longSpacing = medianOf(spacings.map((own) => quantile(own, 0.9)));
  const shortSpacing = medianOf(spacings.map((own) => quantile(own, 0.1)));
  const hasOrder = keepsOrder && !comesByDevice(readings, byDevice.size);
  return {
    devices: byDevice.size,
    readings: readings.length,
    spacing,
    longSpacing,
    isIrregular: (longSpacing ?? 0) >= IRREGULAR * (shortSpacing ?? Infinity) && hasNoPlateaus(byDevice),
    lateness: hasOrder ? latenessOf(readings, times) : 0,
    hasOrder,
    sameInstant: sameInstants(readings),
    from: times[0] ?? NaN,
    until: times.at(-1) ?? NaN,
  };
}

/** The long spacings of a device that sends regularly, but loses some of its messages, are two or three times the short ones. */
const IRREGULAR = 4;

/** Spacings of one device's instants, the shortest first. */
function spacingsOf(readings: readonly MappedReading[]): Float64Array {
  const times = Float64Array.from(new Set(readings.map(({ micros }) => micros))).sort();
  return times
    .map((time, index) => time - (times[index - 1] ?? time))
    .slice(1)
    .sort();
}

/** Whether a device hardly ever sends the value that it sent last: a device that sends on change never does. */
function hasNoPlateaus(byDevice: ReadonlyMap<string, readonly MappedReading[]>): boolean {
  let same = 0;
  let count = 0;
  for (const readings of byDevice.values()) {
    for (const [index, { values }] of readings.entries()) {
      if (index === 0) continue;
      count += 1;
      if (values[0] === readings[index - 1]?.values[0]) same += 1;
    }
  }
  return same <= count / 50;
}

/** Whether each device's readings stand together: hardly more runs of one device than devices. */
function comesByDevice(readings: readonly MappedReading[], devices: number): boolean {
  let runs = 0;
  for (const [index, { deviceId }] of readings.entries())
    if (deviceId !== readings[index - 1]?.deviceId) runs += 1;
  return devices > 1 && readings.length >= MIN_RUN * devices && runs <= 2 * devices;
}

const MIN_RUN = 4;

/** @param sorted all times; the few that lie outside of all others by more than their whole span are clocks that are wrong. */
function latenessOf(readings: readonly MappedReading[], sorted: Float64Array): Micros {
  const low = quantile(sorted, 0.01);
  const high = quantile(sorted, 0.99);
  const most = high + (high - low);
  const latenesses: number[] = [];
  let latest = -Infinity;
  for (const { micros } of readings) {
    if (micros > most) continue;
    latest = Math.max(latest, micros);
    latenesses.push(latest - micros);
  }
  return quantile(Float64Array.from(latenesses).sort(), 0.999);
}

function sameInstants(readings: readonly MappedReading[]): number {
  const seen = new Map<string, string>();
  let others = 0;
  for (const { deviceId, micros, values } of readings) {
    const key = `${micros} ${deviceId}`;
    const value = String(values[0]);
    const before = seen.get(key);
    if (before === undefined) seen.set(key, value);
    else if (before !== value) others += 1;
  }
  return readings.length === 0 ? 0 : others / readings.length;
}

function medianOf(numbers: readonly number[]): number | undefined {
  return numbers.length === 0 ? undefined : quantile(Float64Array.from(numbers).sort(), 0.5);
}

/** The smallest number that at least a share of them does not exceed. NaN where there are none. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? NaN;
}
