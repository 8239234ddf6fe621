import { ROW_LIMITS } from '../../contracts/limits';
import { heldWindows, historyWindows, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { fillHeldMeans } from '../../model/held-means';
import { type DeviceSeries } from '../../model/types';
import { doubled, lengthened } from '../windows/reading-pool';

/** What a closed window leaves behind of a device; NaN = not measured. */
interface WindowMeans {
  readonly target: number;
  readonly covariates: readonly number[];
  /** Variance of the target's readings inside the window, in its unit squared; NaN where it is no sign of the usual one. */
  readonly variance: number;
}

/** The past of a device as a snapshot has it: newest first. */
export interface DevicePast {
  readonly target: readonly (number | null)[];
  readonly covariates: readonly (readonly (number | null)[])[];
  /** Usual spread inside a window, in the target's unit. */
  readonly stddev: number | null;
}

/**
 * What the devices of one partition leave for later forecasts: the last windows as lags (missing ones are NaN), the usual
 * spread of readings inside a window, and the size of forecast errors compared with other devices'. The number of devices is
 * bounded; those beyond get no forecasts.
 */
export class DeviceHistory {
  /** Device → slot; slots are given out again. */
  private slots = new Int32Array(0);
  private readonly freeSlots: number[] = [];
  private used = 0;
  private numbers: Float64Array;
  private readonly scratch: DeviceSeries;
  private readonly windowMicros: Micros;
  /** Windows kept of a device: those of its features, and before them those whose means may be held into them. */
  private readonly windows: number;
  /** Most windows that a mean is held. */
  private readonly held: number;
  /** Doubles of a device: its own figures, then its windows, sensor by sensor. */
  readonly numbersOfDevice: number;

  constructor(
    private readonly task: Task,
    private readonly capacity: number = ROW_LIMITS.devicesWithHistory,
  ) {
    this.windowMicros = task.windowMicros;
    this.held = Math.max(...heldWindows(task));
    this.windows = historyWindows(task) + this.held;
    this.numbersOfDevice = SERIES + (1 + task.covariates.length) * this.windows;
    this.numbers = new Float64Array(FIRST_SLOTS * this.numbersOfDevice);
    this.scratch = {
      target: new Float64Array(this.windows),
      covariates: task.covariates.map(() => new Float64Array(this.windows)),
    };
  }

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
    return slot === NONE ? -Infinity : (this.numbers[slot * this.numbersOfDevice + NEWEST] ?? -Infinity);
  }

  /**
   * Record the means of a closed window; false when there is no room for another device. A window that the seeded past
   * covers already changes nothing: the first write wins, as everywhere.
   */
  record(device: number, start: Micros, { target, covariates, variance }: WindowMeans): boolean {
    const slot = this.slotFor(device);
    if (slot === NONE) return false;
    const at = slot * this.numbersOfDevice;
    const newest = this.numbers[at + NEWEST] ?? -Infinity;
    if (start <= newest) return true;
    this.shift(at, Math.min(this.windows, (start - newest) / this.windowMicros));
    this.numbers[at + NEWEST] = start;
    let last = at + SERIES + this.windows - 1;
    this.numbers[last] = target;
    for (const mean of covariates) this.numbers[(last += this.windows)] = mean;
    if (!Number.isNaN(variance)) this.learnVariance(at, variance);
    return true;
  }

  /** Give a device a past that ends with the window of `lastStart`. */
  seed(device: number, lastStart: Micros, { target, covariates, stddev }: DevicePast): boolean {
    const slot = this.slotFor(device);
    if (slot === NONE) return false;
    const at = slot * this.numbersOfDevice;
    this.numbers[at + NEWEST] = lastStart;
    [target, ...covariates].forEach((means, sensor) => {
      const last = at + SERIES + (sensor + 1) * this.windows - 1;
      for (let back = 0; back < this.windows; back += 1) this.numbers[last - back] = means[back] ?? NaN;
    });
    if (stddev !== null) {
      this.numbers[at + VARIANCE] = stddev * stddev;
      this.numbers[at + VARIANCE_WEIGHT] = 1;
    }
    return true;
  }

  /** Whether the device's newest window is `latest`, or so near before it that its means may be held until then. */
  reaches(device: number, latest: Micros): boolean {
    const missing = (latest - this.newest(device)) / this.windowMicros;
    return missing >= 0 && missing <= this.held;
  }

  /**
   * The device's windows up to `latest`, oldest first, with what is held into windows without readings; valid until the next call.
   * @param latest a window that it `reaches`.
   */
  series(device: number, latest: Micros): DeviceSeries {
    let from = this.slotOf(device) * this.numbersOfDevice + SERIES;
    const missing = (latest - this.newest(device)) / this.windowMicros;
    for (const series of [this.scratch.target, ...this.scratch.covariates]) {
      if (missing > 0) series.fill(NaN);
      series.set(this.numbers.subarray(from + missing, from + this.windows));
      from += this.windows;
    }
    if (this.held > 0) fillHeldMeans(this.task, this.scratch);
    return this.scratch;
  }

  /** Place of the latest window in a series. */
  get latestPlace(): number {
    return this.windows - 1;
  }

  /** Mean of the newest window. */
  latestMean(device: number): number {
    return this.numbers[this.slotOf(device) * this.numbersOfDevice + SERIES + this.windows - 1] ?? NaN;
  }

  /** Variance of readings inside a window that is usual for the device, in the target's unit squared; NaN when unknown. */
  usualVariance(device: number): number {
    const at = this.slotOf(device) * this.numbersOfDevice;
    return (this.numbers[at + VARIANCE_WEIGHT] ?? 0) > 0 ? (this.numbers[at + VARIANCE] ?? NaN) : NaN;
  }

  /** Mean size of the device's steps from window to window, in the target's unit; NaN without two windows in a row. */
  meanStep(device: number): number {
    const at = this.slotOf(device) * this.numbersOfDevice + SERIES;
    let sum = 0;
    let count = 0;
    for (let i = 1; i < this.windows; i += 1) {
      const step = Math.abs((this.numbers[at + i] ?? NaN) - (this.numbers[at + i - 1] ?? NaN));
      if (Number.isNaN(step)) continue;
      sum += step;
      count += 1;
    }
    return count === 0 ? NaN : sum / count;
  }

  /** Errors of forecasts for the device, each divided by the mean error of its version: decayed sum and weight. */
  relativeErrors(device: number): { readonly sum: number; readonly weight: number } {
    const at = this.slotOf(device) * this.numbersOfDevice;
    return { sum: this.numbers[at + ERROR_SUM] ?? 0, weight: this.numbers[at + ERROR_WEIGHT] ?? 0 };
  }

  learnRelativeError(device: number, relative: number): void {
    const slot = this.slotOf(device);
    if (slot === NONE) return;
    const at = slot * this.numbersOfDevice;
    this.numbers[at + ERROR_SUM] = (this.numbers[at + ERROR_SUM] ?? 0) * ERROR_MEMORY + relative;
    this.numbers[at + ERROR_WEIGHT] = (this.numbers[at + ERROR_WEIGHT] ?? 0) * ERROR_MEMORY + 1;
  }

  forget(device: number): void {
    const slot = this.slotOf(device);
    if (slot === NONE) return;
    this.slots[device] = NONE;
    this.freeSlots.push(slot);
  }

  /** A copy of all numbers of the devices, `numbersOfDevice` each, one device after the other. */
  save(devices: readonly number[]): Float64Array {
    const saved = new Float64Array(devices.length * this.numbersOfDevice);
    devices.forEach((device, i) => {
      const at = this.slotOf(device) * this.numbersOfDevice;
      saved.set(this.numbers.subarray(at, at + this.numbersOfDevice), i * this.numbersOfDevice);
    });
    return saved;
  }

  restore(device: number, numbers: Float64Array): void {
    const slot = this.slotFor(device);
    if (slot !== NONE) this.numbers.set(numbers, slot * this.numbersOfDevice);
  }

  private learnVariance(at: number, variance: number): void {
    const weight = (this.numbers[at + VARIANCE_WEIGHT] ?? 0) * VARIANCE_MEMORY;
    const before = weight > 0 ? (this.numbers[at + VARIANCE] ?? 0) : 0;
    this.numbers[at + VARIANCE] = (before * weight + variance) / (weight + 1);
    this.numbers[at + VARIANCE_WEIGHT] = weight + 1;
  }

  private shift(at: number, windows: number): void {
    for (let from = at + SERIES; from < at + this.numbersOfDevice; from += this.windows) {
      this.numbers.copyWithin(from, from + windows, from + this.windows);
      this.numbers.fill(NaN, from + this.windows - windows, from + this.windows);
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
      const { length } = this.slots;
      this.slots = lengthened(this.slots, Math.max(device + 1, length * 2)).fill(NONE, length);
    }
    if ((slot + 1) * this.numbersOfDevice > this.numbers.length) this.numbers = doubled(this.numbers);
    this.slots[device] = slot;
    const at = slot * this.numbersOfDevice;
    this.numbers.fill(NaN, at, at + this.numbersOfDevice);
    this.numbers[at + NEWEST] = -Infinity;
    this.numbers[at + VARIANCE_WEIGHT] = 0;
    this.numbers[at + ERROR_SUM] = 0;
    this.numbers[at + ERROR_WEIGHT] = 0;
    return slot;
  }
}

const NONE = -1;
const FIRST_SLOTS = 256;

/** Share of the past that stays at each window: half is gone after 7 windows of spread, 14 of errors. */
const VARIANCE_MEMORY = 0.9;
const ERROR_MEMORY = 0.95;

/** Places of a device's numbers. */
const NEWEST = 0;
const VARIANCE = 1;
const VARIANCE_WEIGHT = 2;
const ERROR_SUM = 3;
const ERROR_WEIGHT = 4;
/** Windows of the target, then of each covariate, oldest first. */
const SERIES = 5;
