import { type StreamSettings } from '../../contracts/settings';
import { type Micros } from '../../contracts/time';
import { MAX_READINGS_SCANNED } from '../limits';
import { type EventFields } from '../parse/event';
import { CHUNK, doubled, lengthened, NO_CHUNK, ReadingPool } from './reading-pool';
import { type SeenReadings, SeenTimes, SeenTimesAndValues } from './seen-readings';

/** The figures of one device in one window. */
export interface Cell {
  readonly count: number;
  /** Of the target: mean, sum of squared deviations from it, smallest and largest reading. */
  readonly mean: number;
  readonly m2: number;
  readonly min: number;
  readonly max: number;
  /** Means of the covariates over the readings that had them, in the task's order; NaN where none had. */
  readonly covariates: readonly number[];
  readonly label: number;
}

export const NO_CELL = -1;

/**
 * Figures of devices in windows, accumulated in event order by Welford's method (1962); a cell is one device in one window. An event
 * allocates nothing and touches little memory, because a large fleet's state does not fit the processor's caches: numbers and links of a
 * cell lie together in two cache lines (of a task with two covariates).
 */
export class Cells {
  /** Doubles of a cell: whole cache lines. */
  private readonly stride: number;
  private readonly endOfSums: number;
  /** Two views of the same bytes: numbers and links of a cell lie side by side. */
  private numbers: Float64Array;
  private links: Int32Array;
  private used = 0;
  private readonly free: number[] = [];
  /** By device: its cell in the newest open window. `OLDER` links it to the others. */
  private newest = new Int32Array(0);
  private readonly pool = new ReadingPool();
  /** Readings of the few cells that have many and could not tell a duplicate by the latest time alone. */
  private readonly seenOfCell = new Map<number, SeenReadings>();

  /** @param covariates how many there are. */
  constructor(
    covariates: number,
    private readonly duplicates: StreamSettings['duplicates'] = 'time',
  ) {
    this.endOfSums = SUMS + 2 * covariates;
    this.stride = Math.ceil(this.endOfSums / LINE) * LINE;
    this.numbers = new Float64Array(FIRST_CELLS * this.stride);
    this.links = new Int32Array(this.numbers.buffer);
  }

  /** The device's cell in the window of `start`, or `NO_CELL`. */
  find(device: number, start: Micros): number {
    let cell = device < this.newest.length ? (this.newest[device] ?? NO_CELL) : NO_CELL;
    while (cell !== NO_CELL && this.startOf(cell) > start)
      cell = this.links[this.linksOf(cell) + OLDER] ?? NO_CELL;
    return cell !== NO_CELL && this.startOf(cell) === start ? cell : NO_CELL;
  }

  /** Whether the device has any cell. */
  has(device: number): boolean {
    return (this.newest[device] ?? NO_CELL) !== NO_CELL;
  }

  /**
   * Whether the cell has the event's reading already: one of the same time or, where the deployment says that duplicates agree in time and
   * reading, one of the same time and target. Covariates and labels never tell two readings apart.
   */
  isDuplicate(cell: number, { micros, values }: EventFields): boolean {
    const at = cell * this.stride;
    const latest = this.numbers[at + LATEST] ?? NaN;
    if (micros > latest) return false;
    if (micros === latest && this.duplicates === 'time') return true;
    const count = this.numbers[at + COUNT] ?? 0;
    const head = this.links[2 * at + HEAD] ?? NO_CHUNK;
    const target = this.duplicates === 'time' ? undefined : (values[0] ?? NaN);
    if (count <= MAX_READINGS_SCANNED) return this.pool.has(head, count, micros, target);
    let seen = this.seenOfCell.get(cell);
    if (seen === undefined) {
      seen = this.duplicates === 'time' ? new SeenTimes() : new SeenTimesAndValues();
      this.pool.addTo(seen, head, count);
      this.seenOfCell.set(cell, seen);
    }
    return seen.has(micros, values[0] ?? NaN);
  }

  /** Add a cell for a device that has none in the window of `start`. */
  add(device: number, start: Micros): number {
    const cell = this.free.pop() ?? this.used++;
    this.makeRoom(device, cell);
    // The device's cells are linked in the order of their windows.
    let newer = NO_CELL;
    let older = this.newest[device] ?? NO_CELL;
    while (older !== NO_CELL && this.startOf(older) > start) {
      newer = older;
      older = this.links[this.linksOf(older) + OLDER] ?? NO_CELL;
    }
    if (newer === NO_CELL) this.newest[device] = cell;
    else this.links[this.linksOf(newer) + OLDER] = cell;
    if (older !== NO_CELL) this.links[this.linksOf(older) + NEWER] = cell;

    const at = cell * this.stride;
    this.numbers.fill(0, at, at + this.stride);
    this.numbers[at + START] = start;
    this.numbers[at + MIN] = Infinity;
    this.numbers[at + MAX] = -Infinity;
    this.numbers[at + LATEST] = -Infinity;
    this.numbers[at + LABEL] = -1;
    const link = 2 * at;
    this.links[link + DEVICE] = device;
    this.links[link + OLDER] = older;
    this.links[link + NEWER] = newer;
    this.links[link + HEAD] = NO_CHUNK;
    this.links[link + TAIL] = NO_CHUNK;
    return cell;
  }

  /** Add a reading to the cell. */
  append(cell: number, event: EventFields): void {
    const { numbers, links } = this;
    const { micros, values } = event;
    const target = values[0] ?? NaN;
    const at = cell * this.stride;
    const before = numbers[at + COUNT] ?? 0;
    const count = before + 1;
    const mean = numbers[at + MEAN] ?? 0;
    const deviation = target - mean;
    const moved = mean + deviation / count;
    numbers[at + COUNT] = count;
    numbers[at + MEAN] = moved;
    numbers[at + M2] = (numbers[at + M2] ?? 0) + deviation * (target - moved);
    if (target < (numbers[at + MIN] ?? Infinity)) numbers[at + MIN] = target;
    if (target > (numbers[at + MAX] ?? -Infinity)) numbers[at + MAX] = target;
    if (micros > (numbers[at + LATEST] ?? -Infinity)) numbers[at + LATEST] = micros;
    for (let sensor = 1, sum = at + SUMS; sensor < values.length; sensor += 1, sum += 2) {
      const value = values[sensor] ?? NaN;
      if (Number.isNaN(value)) continue;
      numbers[sum] = (numbers[sum] ?? 0) + value;
      numbers[sum + 1] = (numbers[sum + 1] ?? 0) + 1;
    }
    if (event.label > (numbers[at + LABEL] ?? -1)) numbers[at + LABEL] = event.label;

    const place = before & (CHUNK - 1);
    const link = 2 * at;
    if (place === 0) {
      const chunk = this.pool.extend(links[link + TAIL] ?? NO_CHUNK);
      if (before === 0) links[link + HEAD] = chunk;
      links[link + TAIL] = chunk;
    }
    this.pool.write(links[link + TAIL] ?? 0, place, micros, target);
    if (this.seenOfCell.size > 0) this.seenOfCell.get(cell)?.add(micros, target);
  }

  /** The cell's figures. */
  read(cell: number): Cell {
    const at = cell * this.stride;
    const { numbers } = this;
    const covariates: number[] = [];
    for (let sum = at + SUMS; sum < at + this.endOfSums; sum += 2) {
      const count = numbers[sum + 1] ?? 0;
      covariates.push(count > 0 ? (numbers[sum] ?? NaN) / count : NaN);
    }
    return {
      count: numbers[at + COUNT] ?? 0,
      mean: numbers[at + MEAN] ?? NaN,
      m2: numbers[at + M2] ?? NaN,
      min: numbers[at + MIN] ?? NaN,
      max: numbers[at + MAX] ?? NaN,
      covariates,
      label: numbers[at + LABEL] ?? -1,
    };
  }

  /** Readings of the cell with |Z| = |x − mean| / stddev above `limit`. */
  countOutliers(cell: number, mean: number, stddev: number, limit: number): number {
    const at = cell * this.stride;
    const head = this.links[2 * at + HEAD] ?? NO_CHUNK;
    return this.pool.countOutliers(head, this.numbers[at + COUNT] ?? 0, mean, stddev, limit);
  }

  /** Free the cell and its readings. */
  release(cell: number): void {
    const at = this.linksOf(cell);
    const device = this.links[at + DEVICE] ?? 0;
    const older = this.links[at + OLDER] ?? NO_CELL;
    const newer = this.links[at + NEWER] ?? NO_CELL;
    if (newer === NO_CELL) this.newest[device] = older;
    else this.links[this.linksOf(newer) + OLDER] = older;
    if (older !== NO_CELL) this.links[this.linksOf(older) + NEWER] = newer;
    this.pool.release(this.links[at + HEAD] ?? NO_CHUNK, this.links[at + TAIL] ?? NO_CHUNK);
    this.free.push(cell);
    this.seenOfCell.delete(cell);
  }

  private startOf(cell: number): Micros {
    return this.numbers[cell * this.stride + START] ?? NaN;
  }

  private linksOf(cell: number): number {
    return 2 * cell * this.stride;
  }

  private makeRoom(device: number, cell: number): void {
    if ((cell + 1) * this.stride > this.numbers.length) {
      const larger = doubled(this.numbers);
      this.numbers = larger;
      this.links = new Int32Array(larger.buffer);
    }
    if (device >= this.newest.length) {
      const length = this.newest.length;
      this.newest = lengthened(this.newest, Math.max(device + 1, length * 2));
      this.newest.fill(NO_CELL, length);
    }
  }
}

const FIRST_CELLS = 1_024;

/** Doubles of a cache line. */
const LINE = 8;

/** Places of a cell's numbers. Those that every event needs are in the first cache line; two places are free for links. */
const START = 0;
const COUNT = 1;
const MEAN = 2;
const M2 = 3;
const MIN = 4;
const MAX = 5;
const LATEST = 6;
const LABEL = 8;
/** For each covariate the sum of its readings, and their number. */
const SUMS = 11;

/**
 * Places of a cell's links, two in the room of a number: its chain of readings, its device, and the device's cells in the windows before
 * and after.
 */
const TAIL = 14;
const OLDER = 15;
const DEVICE = 18;
const NEWER = 19;
const HEAD = 20;
