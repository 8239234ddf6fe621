import { type Micros } from '../../contracts/time';
import { type DeviceSeries } from '../../model/types';
import { HISTORY_WINDOWS, MAX_DEVICES_WITH_HISTORY } from '../limits';

/** What a closed window leaves behind of a device; NaN = not measured. */
export interface WindowMeans {
  readonly avg: number;
  readonly humidity: number;
  readonly pressure: number;
  /** Variance of the readings inside the window in °C²; NaN where it says nothing about the usual one. */
  readonly variance: number;
}

/** The past of a device as a snapshot brings it: newest first. */
export interface DevicePast {
  readonly avg: readonly (number | null)[];
  readonly humidity: readonly (number | null)[];
  readonly pressure: readonly (number | null)[];
  readonly stddev: number | null;
}

/** All numbers kept of one device, for a checkpoint: `NUMBERS_OF_DEVICE` of them. */
export type DeviceNumbers = Float64Array;

/**
 * The last windows of each device of one partition: lags of the next forecast (missing windows are NaN), the usual
 * spread of its readings inside a window, and how large the errors of forecasts for it are beside those for others.
 * Bounded by a number of devices; those beyond get no forecasts.
 */
export class DeviceHistory {
  /** Device → slot; slots are given out again. */
  private slots = new Int32Array(0);
  private readonly freeSlots: number[] = [];
  private used = 0;
  private numbers = new Float64Array(FIRST_SLOTS * NUMBERS_OF_DEVICE);
  private readonly scratch: DeviceSeries = {
    avg: new Float64Array(HISTORY_WINDOWS),
    humidity: new Float64Array(HISTORY_WINDOWS),
    pressure: new Float64Array(HISTORY_WINDOWS),
  };

  constructor(
    private readonly windowMicros: Micros,
    private readonly capacity = MAX_DEVICES_WITH_HISTORY,
  ) {}

  /** Devices with a history. */
  get size(): number {
    return this.used - this.freeSlots.length;
  }

  has(device: number): boolean {
    return this.slotOf(device) !== NONE;
  }

  /** Start of the newest window known of the device; −Infinity when there is none. */
  newest(device: number): Micros {
    const slot = this.slotOf(device);
    return slot === NONE ? -Infinity : (this.numbers[slot * NUMBERS_OF_DEVICE + NEWEST] ?? -Infinity);
  }

  /**
   * Take in the means of a closed window; false when there is no room for another device. A window that the seeded past
   * covers already changes nothing: first write wins, as everywhere.
   */
  record(device: number, start: Micros, means: WindowMeans): boolean {
    const slot = this.slotFor(device);
    if (slot === NONE) return false;
    const at = slot * NUMBERS_OF_DEVICE;
    const newest = this.numbers[at + NEWEST] ?? -Infinity;
    if (start <= newest) return true;
    this.shift(at, Math.min(HISTORY_WINDOWS, (start - newest) / this.windowMicros));
    this.numbers[at + NEWEST] = start;
    this.numbers[at + AVG + HISTORY_WINDOWS - 1] = means.avg;
    this.numbers[at + HUMIDITY + HISTORY_WINDOWS - 1] = means.humidity;
    this.numbers[at + PRESSURE + HISTORY_WINDOWS - 1] = means.pressure;
    if (!Number.isNaN(means.variance)) this.learnVariance(at, means.variance);
    return true;
  }

  /** Start a device off with a past that ends with the window of `lastStart`. */
  seed(device: number, lastStart: Micros, past: DevicePast): boolean {
    const slot = this.slotFor(device);
    if (slot === NONE) return false;
    const at = slot * NUMBERS_OF_DEVICE;
    this.numbers[at + NEWEST] = lastStart;
    for (let back = 0; back < HISTORY_WINDOWS; back += 1) {
      const place = at + HISTORY_WINDOWS - 1 - back;
      this.numbers[place + AVG] = past.avg[back] ?? NaN;
      this.numbers[place + HUMIDITY] = past.humidity[back] ?? NaN;
      this.numbers[place + PRESSURE] = past.pressure[back] ?? NaN;
    }
    if (past.stddev !== null) {
      this.numbers[at + VARIANCE] = past.stddev * past.stddev;
      this.numbers[at + VARIANCE_WEIGHT] = 1;
    }
    return true;
  }

  /** The device's windows, oldest first, the newest at `HISTORY_WINDOWS − 1`; valid until the next call. */
  series(device: number): DeviceSeries {
    const at = this.slotOf(device) * NUMBERS_OF_DEVICE;
    this.scratch.avg.set(this.numbers.subarray(at + AVG, at + AVG + HISTORY_WINDOWS));
    this.scratch.humidity.set(this.numbers.subarray(at + HUMIDITY, at + HUMIDITY + HISTORY_WINDOWS));
    this.scratch.pressure.set(this.numbers.subarray(at + PRESSURE, at + PRESSURE + HISTORY_WINDOWS));
    return this.scratch;
  }

  /** Mean of the newest window. */
  latestAvg(device: number): number {
    return this.numbers[this.slotOf(device) * NUMBERS_OF_DEVICE + AVG + HISTORY_WINDOWS - 1] ?? NaN;
  }

  /** Variance of readings inside a window that is usual for the device, in °C²; NaN when unknown. */
  usualVariance(device: number): number {
    const at = this.slotOf(device) * NUMBERS_OF_DEVICE;
    return (this.numbers[at + VARIANCE_WEIGHT] ?? 0) > 0 ? (this.numbers[at + VARIANCE] ?? NaN) : NaN;
  }

  /** Mean size of the device's steps from window to window in °C; NaN without two windows in a row. */
  meanStep(device: number): number {
    const at = this.slotOf(device) * NUMBERS_OF_DEVICE + AVG;
    let sum = 0;
    let count = 0;
    for (let i = 1; i < HISTORY_WINDOWS; i += 1) {
      const step = Math.abs((this.numbers[at + i] ?? NaN) - (this.numbers[at + i - 1] ?? NaN));
      if (Number.isNaN(step)) continue;
      sum += step;
      count += 1;
    }
    return count === 0 ? NaN : sum / count;
  }

  /** Errors of forecasts for the device, each divided by the mean error of its version: decayed sum and weight. */
  relativeErrors(device: number): { readonly sum: number; readonly weight: number } {
    const at = this.slotOf(device) * NUMBERS_OF_DEVICE;
    return { sum: this.numbers[at + ERROR_SUM] ?? 0, weight: this.numbers[at + ERROR_WEIGHT] ?? 0 };
  }

  learnRelativeError(device: number, relative: number): void {
    const slot = this.slotOf(device);
    if (slot === NONE) return;
    const at = slot * NUMBERS_OF_DEVICE;
    this.numbers[at + ERROR_SUM] = (this.numbers[at + ERROR_SUM] ?? 0) * ERROR_MEMORY + relative;
    this.numbers[at + ERROR_WEIGHT] = (this.numbers[at + ERROR_WEIGHT] ?? 0) * ERROR_MEMORY + 1;
  }

  forget(device: number): void {
    const slot = this.slotOf(device);
    if (slot === NONE) return;
    this.slots[device] = NONE;
    this.freeSlots.push(slot);
  }

  /** A copy of all that is kept of the devices, one after the other. */
  save(devices: readonly number[]): Float64Array {
    const saved = new Float64Array(devices.length * NUMBERS_OF_DEVICE);
    devices.forEach((device, i) => {
      const at = this.slotOf(device) * NUMBERS_OF_DEVICE;
      saved.set(this.numbers.subarray(at, at + NUMBERS_OF_DEVICE), i * NUMBERS_OF_DEVICE);
    });
    return saved;
  }

  restore(device: number, numbers: DeviceNumbers): void {
    const slot = this.slotFor(device);
    if (slot !== NONE) this.numbers.set(numbers, slot * NUMBERS_OF_DEVICE);
  }

  private learnVariance(at: number, variance: number): void {
    const weight = (this.numbers[at + VARIANCE_WEIGHT] ?? 0) * VARIANCE_MEMORY;
    const before = weight > 0 ? (this.numbers[at + VARIANCE] ?? 0) : 0;
    this.numbers[at + VARIANCE] = (before * weight + variance) / (weight + 1);
    this.numbers[at + VARIANCE_WEIGHT] = weight + 1;
  }

  private shift(at: number, windows: number): void {
    for (const series of [AVG, HUMIDITY, PRESSURE]) {
      const from = at + series;
      this.numbers.copyWithin(from, from + windows, from + HISTORY_WINDOWS);
      this.numbers.fill(NaN, from + HISTORY_WINDOWS - windows, from + HISTORY_WINDOWS);
    }
  }

  private slotOf(device: number): number {
    return this.slots[device] ?? NONE;
  }

  private slotFor(device: number): number {
    const known = this.slotOf(device);
    if (known !== NONE) return known;
    if (this.size >= this.capacity) return NONE;
    const slot = this.freeSlots.pop() ?? this.used++;
    if (device >= this.slots.length) {
      const larger = new Int32Array(Math.max(device + 1, this.slots.length * 2)).fill(NONE);
      larger.set(this.slots);
      this.slots = larger;
    }
    if ((slot + 1) * NUMBERS_OF_DEVICE > this.numbers.length) {
      const larger = new Float64Array(this.numbers.length * 2);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.slots[device] = slot;
    const at = slot * NUMBERS_OF_DEVICE;
    this.numbers.fill(NaN, at, at + NUMBERS_OF_DEVICE);
    this.numbers[at + NEWEST] = -Infinity;
    this.numbers[at + VARIANCE_WEIGHT] = 0;
    this.numbers[at + ERROR_SUM] = 0;
    this.numbers[at + ERROR_WEIGHT] = 0;
    return slot;
  }
}

const NONE = -1;
const FIRST_SLOTS = 256;

/** Share of the past that stays when a window comes: half of it is gone after 7 windows of spread, 14 of errors. */
const VARIANCE_MEMORY = 0.9;
const ERROR_MEMORY = 0.95;

/** Places of a device's numbers. */
const NEWEST = 0;
const VARIANCE = 1;
const VARIANCE_WEIGHT = 2;
const ERROR_SUM = 3;
const ERROR_WEIGHT = 4;
const AVG = 5;
const HUMIDITY = AVG + HISTORY_WINDOWS;
const PRESSURE = HUMIDITY + HISTORY_WINDOWS;
export const NUMBERS_OF_DEVICE = PRESSURE + HISTORY_WINDOWS;
