import { FedloopError } from '../../contracts/errors';
import { heldWindows, historyWindows, minLags, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type DeviceSeries } from '../../model/types';
import { RING_WINDOWS } from '../constants';

/** The ring grows by this many devices at a time, and never copies the rows that are there. */
const DEVICES_PER_SLAB = 256;
const NOTHING_YET = Number.NEGATIVE_INFINITY;

/** What is there of a window. */
const MISSING = 0;
const HELD = 1;
const PRESENT = 2;

/** Where a window comes from: closed by a stream worker, or out of a history that was imported. */
export type WindowOrigin = 'live' | 'history';

/** Windows that are remembered of each device: those of a round, and what holds before the first of them. */
export function windowsRemembered(task: Task): number {
  return RING_WINDOWS + Math.max(...heldWindows(task));
}

/**
 * A site's memory of its devices: the last windows of each on one grid of time. The first write wins, but a live window takes the place of one
 * from a history, whichever came first. Readings stay here; only updates and sums leave the site. Memory: devices · windows · sensors · 8 bytes
 * (22 MB for 2,407 devices with three sensors): a meter at 123,456,789.5 would lose its changes in single precision.
 */
export class WindowRing {
  /** Numbers of a window: the target's mean, then the covariates'. */
  private readonly fields: number;
  private readonly indexOf = new Map<string, number>();
  private readonly slabs: Float64Array[] = [];
  /** By slab: 1 where a window came from a history, 0 where it was measured live. */
  private readonly fromHistory: Uint8Array[] = [];
  /** Grid number of the newest window of each device, and of the newest window that came with a value that is not a number. */
  private readonly newest: number[] = [];
  private readonly newestBroken: number[] = [];
  /** Grid numbers of the oldest and the newest window that the stream has closed. */
  private oldestClosed = Number.POSITIVE_INFINITY;
  private newestClosed = NOTHING_YET;

  /** @param capacity windows kept of each device */
  constructor(
    readonly task: Task,
    readonly capacity = windowsRemembered(task),
  ) {
    this.fields = 1 + task.covariates.length;
  }

  /** The stream has closed a window: a history reaches no further, whoever says so. */
  noteClosed(windowStart: Micros): void {
    const window = this.gridNumber(windowStart);
    this.oldestClosed = Math.min(this.oldestClosed, window);
    this.newestClosed = Math.max(this.newestClosed, window);
  }

  /**
   * Remember one window's means, covariates in the task's order. A target that is not finite is remembered too: training leaves the device out.
   * @returns false when the window was there already, is older than what the ring holds, has no finite target,
   * or is of a history and newer than all that the stream has closed.
   * @throws FedloopError `InvalidInput` for a window off the grid.
   */
  put(
    deviceId: string,
    windowStart: Micros,
    target: number,
    covariates: readonly (number | null | undefined)[],
    origin: WindowOrigin = 'live',
  ): boolean {
    const window = this.gridNumber(windowStart);
    if (origin === 'history' && this.isBeyondStream(window)) return false;
    const device = this.indexOf.get(deviceId) ?? this.addDevice(deviceId);
    if (origin === 'live') this.takeBackHistory(device, window);
    const newest = this.newest[device] ?? NOTHING_YET;
    if (window <= newest - this.capacity) return false;
    if (!Number.isFinite(target)) {
      this.newestBroken[device] = Math.max(this.newestBroken[device] ?? NOTHING_YET, window);
      return false;
    }
    if (window > newest) {
      this.forgetBetween(device, newest, window);
      this.newest[device] = window;
    }
    const slab = this.slabOf(device);
    const at = this.offset(device, window);
    const origins = this.fromHistory[Math.floor(device / DEVICES_PER_SLAB)];
    const place = at / this.fields;
    const isLaterLive = origin === 'live' && origins?.[place] === 1;
    if (!Number.isNaN(slab[at]) && !isLaterLive) return false;
    if (origins !== undefined) origins[place] = origin === 'history' ? 1 : 0;
    slab[at] = target;
    for (let field = 1; field < this.fields; field += 1) {
      const value = covariates[field - 1] ?? NaN;
      slab[at + field] = Number.isFinite(value) ? value : NaN;
    }
    return true;
  }

  /**
   * The last `count` windows up to and including the one that starts at `windowStart`, oldest first, NaN where missing.
   * An unknown device has none but missing ones.
   */
  seriesUntil(deviceId: string, windowStart: Micros, count: number): DeviceSeries {
    const last = this.gridNumber(windowStart);
    const target = new Float64Array(count).fill(NaN);
    const covariates = this.task.covariates.map(() => new Float64Array(count).fill(NaN));
    const series: DeviceSeries = { target, covariates };
    const device = this.indexOf.get(deviceId);
    if (device === undefined) return series;
    const newest = this.newest[device] ?? NOTHING_YET;
    const slab = this.slabOf(device);
    const from = Math.max(last - count + 1, newest - this.capacity + 1);
    for (let window = from; window <= Math.min(last, newest); window += 1) {
      const at = this.offset(device, window);
      const row = window - last + count - 1;
      target[row] = slab[at] ?? NaN;
      covariates.forEach((covariate, index) => (covariate[row] = slab[at + 1 + index] ?? NaN));
    }
    return series;
  }

  devices(): string[] {
    return [...this.indexOf.keys()];
  }

  get size(): number {
    return this.indexOf.size;
  }

  /** How many of the `count` windows up to and including the one that starts at `windowStart` a device has. */
  windowsPresent(deviceId: string, windowStart: Micros, count: number): number {
    return this.statesOf(deviceId, windowStart, count).filter((state) => state === PRESENT).length;
  }

  /** The same, with those in which an earlier mean is held. */
  windowsKnown(deviceId: string, windowStart: Micros, count: number): number {
    return this.statesOf(deviceId, windowStart, count).filter((state) => state !== MISSING).length;
  }

  /** Of the windows of `windowsPresent`, how many have passed since the oldest that a device has, it included; 0 when it has none. */
  windowsSince(deviceId: string, windowStart: Micros, count: number): number {
    const oldest = this.statesOf(deviceId, windowStart, count).indexOf(PRESENT);
    return oldest < 0 ? 0 : count - oldest;
  }

  /** Samples among the last `count` targets: the target is there, the window before it is known, and so are enough of the lags. */
  targetsPresent(deviceId: string, windowStart: Micros, count: number): number {
    const { lags } = this.task;
    const needed = minLags(this.task);
    const history = historyWindows(this.task);
    const states = this.statesOf(deviceId, windowStart, count + history);
    let known = 0;
    let samples = 0;
    for (let at = 0; at < states.length; at += 1) {
      const isTarget = at >= history && states[at] === PRESENT && at > 0 && states[at - 1] !== MISSING;
      if (isTarget && known >= needed) samples += 1;
      if (states[at] !== MISSING) known += 1;
      if (at >= lags && states[at - lags] !== MISSING) known -= 1;
    }
    return samples;
  }

  /** Start of the newest window of a device; undefined while there is none. */
  newestWindow(deviceId: string): Micros | undefined {
    const newest = this.newest[this.indexOf.get(deviceId) ?? -1] ?? NOTHING_YET;
    return newest === NOTHING_YET ? undefined : newest * this.task.windowMicros;
  }

  /**
   * Start of the newest window that a device has sent anything in, a value that is no number too. A history tells of the time before the stream: once
   * that has begun, who sends is seen by live windows alone.
   */
  latestSign(deviceId: string): Micros | undefined {
    const device = this.indexOf.get(deviceId) ?? -1;
    const newest = this.newest[device] ?? NOTHING_YET;
    const latest = Math.max(this.newestSent(device, newest), this.newestBroken[device] ?? NOTHING_YET);
    return latest === NOTHING_YET ? undefined : latest * this.task.windowMicros;
  }

  /** Whether a value that is not a finite number came for one of the `count` windows up to `windowStart`. */
  hadBrokenValue(deviceId: string, windowStart: Micros, count: number): boolean {
    const broken = this.newestBroken[this.indexOf.get(deviceId) ?? -1] ?? NOTHING_YET;
    return broken > this.gridNumber(windowStart) - count;
  }

  /**
   * What is there of the `count` windows of a device up to `windowStart`, oldest first. One without readings is held while an earlier mean of
   * the target is.
   */
  private statesOf(deviceId: string, windowStart: Micros, count: number): Uint8Array {
    const states = new Uint8Array(count).fill(MISSING);
    const device = this.indexOf.get(deviceId);
    if (device === undefined) return states;
    const first = this.gridNumber(windowStart) - count + 1;
    const newest = this.newest[device] ?? NOTHING_YET;
    const slab = this.slabOf(device);
    const [held = 0] = heldWindows(this.task);
    // No window is far from the one before it: a step and a jump back cost less than a division each.
    const begin = this.offset(device, 0);
    const end = begin + this.capacity * this.fields;
    let place = this.offset(device, first);
    let sinceLatest = Infinity;
    for (let at = 0; at < count; at += 1) {
      const window = first + at;
      sinceLatest += 1;
      if (window <= newest && window > newest - this.capacity && !Number.isNaN(slab[place])) {
        sinceLatest = 0;
        states[at] = PRESENT;
      } else if (sinceLatest <= held) states[at] = HELD;
      place += this.fields;
      if (place === end) place = begin;
    }
    return states;
  }

  private gridNumber(windowStart: Micros): number {
    const { windowMicros } = this.task;
    const window = windowStart / windowMicros;
    if (Number.isSafeInteger(window)) return window;
    throw new FedloopError('InvalidInput', `window ${windowStart} is not on the grid of ${windowMicros} µs`);
  }

  private addDevice(deviceId: string): number {
    const device = this.indexOf.size;
    this.indexOf.set(deviceId, device);
    this.newest.push(NOTHING_YET);
    this.newestBroken.push(NOTHING_YET);
    if (device >= this.slabs.length * DEVICES_PER_SLAB) {
      this.slabs.push(new Float64Array(DEVICES_PER_SLAB * this.capacity * this.fields).fill(NaN));
      this.fromHistory.push(new Uint8Array(DEVICES_PER_SLAB * this.capacity));
    }
    return device;
  }

  private isBeyondStream(window: number): boolean {
    return this.newestClosed !== NOTHING_YET && window > this.newestClosed;
  }

  private isHistory(device: number, window: number): boolean {
    const origins = this.fromHistory[Math.floor(device / DEVICES_PER_SLAB)];
    return window !== NOTHING_YET && origins?.[this.offset(device, window) / this.fields] === 1;
  }

  private newestSent(device: number, newest: number): number {
    if (!this.isHistory(device, newest)) return newest;
    const before = this.isBeyondStream(newest) ? NOTHING_YET : Math.min(newest, this.oldestClosed - 1);
    const slab = this.slabOf(device);
    // Only a live window behind it would say more.
    for (let window = newest; window > Math.max(before, newest - this.capacity); window -= 1)
      if (!this.isHistory(device, window) && !Number.isNaN(slab[this.offset(device, window)])) return window;
    return before;
  }

  /** A history that reaches beyond a device's live windows would keep them out for good: what lies behind this one is forgotten. */
  private takeBackHistory(device: number, window: number): void {
    const newest = this.newest[device] ?? NOTHING_YET;
    if (newest <= window || !this.isBeyondStream(newest) || !this.isHistory(device, newest)) return;
    const slab = this.slabOf(device);
    for (let later = Math.max(window + 1, newest - this.capacity + 1); later <= newest; later += 1) {
      const at = this.offset(device, later);
      slab.fill(NaN, at, at + this.fields);
    }
    this.newest[device] = window;
  }

  /** Clear the places between: after a jump ahead they still have windows of the lap before. */
  private forgetBetween(device: number, newest: number, window: number): void {
    if (newest === NOTHING_YET) return;
    const slab = this.slabOf(device);
    for (let skipped = Math.max(newest + 1, window - this.capacity + 1); skipped <= window; skipped += 1) {
      const at = this.offset(device, skipped);
      slab.fill(NaN, at, at + this.fields);
    }
  }

  private slabOf(device: number): Float64Array {
    const slab = this.slabs[Math.floor(device / DEVICES_PER_SLAB)];
    if (slab === undefined) throw new FedloopError('Internal', `device ${device} has no place in the ring`);
    return slab;
  }

  private offset(device: number, window: number): number {
    const place = ((window % this.capacity) + this.capacity) % this.capacity;
    return ((device % DEVICES_PER_SLAB) * this.capacity + place) * this.fields;
  }
}
