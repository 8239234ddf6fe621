import { type Micros, windowStartOf } from '../../contracts/time';
import { type EventFields } from '../parse/event';
import {
  MAX_DEVICES_PER_WINDOW,
  MAX_OPEN_WINDOWS,
  MAX_READINGS_PER_WINDOW,
  MAX_READINGS_SCANNED,
} from '../limits';

/** A window that still takes readings. */
export interface OpenWindow {
  readonly start: Micros;
  readonly end: Micros;
  /** Offset of the first event in it: whoever wants to build it again has to read from there. */
  readonly firstOffset: number;
  /** One cell a device. */
  readonly cells: number[];
  readings: number;
}

/** What one device did in one window. Sums of humidity and pressure run over the readings that had them. */
export interface Cell {
  readonly device: number;
  readonly count: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly m2: number;
  readonly min: number;
  readonly max: number;
  readonly humiditySum: number;
  readonly humidityCount: number;
  readonly pressureSum: number;
  readonly pressureCount: number;
  readonly label: number;
}

/** Bounds on the state; beyond them events are refused (and said to be), never silently dropped. */
export interface OpenWindowLimits {
  readonly devicesPerWindow: number;
  readonly readingsPerWindow: number;
}

/**
 * The open windows of one partition, accumulated in event order by Welford's method (1962). An event allocates nothing, and touches
 * little memory, because a large fleet's state does not fit the processor's caches: all that is kept of a cell, numbers and links, stands
 * together in two cache lines, and readings in chunks of eight taken from one pool, each beside its time.
 *
 * The bounds are per window, not over all of them, so that rebuilding the open windows from the log after a crash comes
 * to the same decisions as the first time.
 */
export class OpenWindows {
  private readonly byStart = new Map<Micros, OpenWindow>();
  /** The window of the event before: nearly always that of the next one as well. */
  private recent: OpenWindow | undefined;
  /** Two views of the same bytes: numbers and links of a cell stand side by side. */
  private numbers = new Float64Array(FIRST_CELLS * NUMBERS);
  private links = new Int32Array(this.numbers.buffer);
  private cellsUsed = 0;
  private readonly freeCells: number[] = [];
  /** Per device its cell in the newest open window; from there `OLDER` leads on. */
  private newest = new Int32Array(0);
  /** Time and value in turns. */
  private readingsOfChunks = new Float64Array(FIRST_CHUNKS * CHUNK * PAIR);
  private nextChunk = new Int32Array(FIRST_CHUNKS);
  private chunksUsed = 0;
  private firstFreeChunk = NONE;
  /** Timestamps of the few cells that hold many readings and got some out of order. */
  private readonly timesOfCell = new Map<number, Set<number>>();

  constructor(
    private readonly windowMicros: Micros,
    private readonly limits: OpenWindowLimits = {
      devicesPerWindow: MAX_DEVICES_PER_WINDOW,
      readingsPerWindow: MAX_READINGS_PER_WINDOW,
    },
  ) {}

  get size(): number {
    return this.byStart.size;
  }

  get readings(): number {
    let total = 0;
    for (const window of this.byStart.values()) total += window.readings;
    return total;
  }

  get deviceWindows(): number {
    return this.cellsUsed - this.freeCells.length;
  }

  /** Open windows by start, oldest first. */
  inOrder(): readonly OpenWindow[] {
    return [...this.byStart.values()].sort((a, b) => a.start - b.start);
  }

  /** Start of the window that an event time lies in. */
  startOf(micros: Micros): Micros {
    const recent = this.recent;
    if (recent !== undefined && micros >= recent.start && micros < recent.end) return recent.start;
    return windowStartOf(micros, this.windowMicros);
  }

  /** The device's cell in the window of `start`, or −1. */
  cellOf(device: number, start: Micros): number {
    return this.findCell(device, start);
  }

  /** Whether the device has readings in any open window. */
  hasCells(device: number): boolean {
    return (this.newest[device] ?? NONE) !== NONE;
  }

  /** Whether a new device may still enter the window. */
  hasRoomForDevice(start: Micros): boolean {
    const window = this.byStart.get(start);
    return window === undefined
      ? this.byStart.size < MAX_OPEN_WINDOWS
      : window.cells.length < this.limits.devicesPerWindow;
  }

  /** Add the reading of `event` by `device` to the window that starts at `start`, unless it is there already. */
  add(
    device: number,
    start: Micros,
    event: EventFields,
    offset: number,
  ): 'windowed' | 'duplicate' | 'over-limit' {
    const { micros } = event;
    let cell = this.findCell(device, start);
    if (cell !== NONE) {
      const latest = this.numbers[cell * NUMBERS + LATEST] ?? NaN;
      if (micros <= latest && (micros === latest || this.hasReadingAt(cell, micros))) return 'duplicate';
    }
    const window = this.windowAt(start, offset);
    if (window === undefined || window.readings >= this.limits.readingsPerWindow) return 'over-limit';
    if (cell === NONE) {
      if (window.cells.length >= this.limits.devicesPerWindow) return 'over-limit';
      cell = this.newCell(device, start);
      window.cells.push(cell);
    }
    window.readings += 1;
    this.append(cell, event);
    return 'windowed';
  }

  /** The cell's numbers, out of the arrays. */
  read(cell: number): Cell {
    const at = cell * NUMBERS;
    const { numbers } = this;
    return {
      device: this.links[cell * LINKS + DEVICE] ?? NONE,
      count: numbers[at + COUNT] ?? 0,
      mean: numbers[at + MEAN] ?? NaN,
      m2: numbers[at + M2] ?? NaN,
      min: numbers[at + MIN] ?? NaN,
      max: numbers[at + MAX] ?? NaN,
      humiditySum: numbers[at + HUMIDITY_SUM] ?? 0,
      humidityCount: numbers[at + HUMIDITY_COUNT] ?? 0,
      pressureSum: numbers[at + PRESSURE_SUM] ?? 0,
      pressureCount: numbers[at + PRESSURE_COUNT] ?? 0,
      label: numbers[at + LABEL] ?? -1,
    };
  }

  /** Readings of the cell with |Z| = |x − mean| / stddev above `limit`. */
  countOutliers(cell: number, mean: number, stddev: number, limit: number): number {
    let left = this.numbers[cell * NUMBERS + COUNT] ?? 0;
    let beyond = 0;
    for (
      let chunk = this.links[cell * LINKS + HEAD] ?? NONE;
      left > 0;
      chunk = this.nextChunk[chunk] ?? NONE
    ) {
      const start = chunk * CHUNK * PAIR;
      const end = start + Math.min(left, CHUNK) * PAIR;
      for (let at = start; at < end; at += PAIR) {
        if (Math.abs((this.readingsOfChunks[at + VALUE] ?? NaN) - mean) / stddev > limit) beyond += 1;
      }
      left -= CHUNK;
    }
    return beyond;
  }

  /** Give back everything that the window holds. */
  release(window: OpenWindow): void {
    for (const cell of window.cells) {
      const at = cell * LINKS;
      const device = this.links[at + DEVICE] ?? 0;
      const older = this.links[at + OLDER] ?? NONE;
      const newer = this.links[at + NEWER] ?? NONE;
      if (newer === NONE) this.newest[device] = older;
      else this.links[newer * LINKS + OLDER] = older;
      if (older !== NONE) this.links[older * LINKS + NEWER] = newer;
      this.nextChunk[this.links[at + TAIL] ?? 0] = this.firstFreeChunk;
      this.firstFreeChunk = this.links[at + HEAD] ?? NONE;
      this.freeCells.push(cell);
      this.timesOfCell.delete(cell);
    }
    this.byStart.delete(window.start);
    if (this.recent === window) this.recent = undefined;
  }

  private windowAt(start: Micros, offset: number): OpenWindow | undefined {
    if (this.recent?.start === start) return this.recent;
    let window = this.byStart.get(start);
    if (window === undefined) {
      if (this.byStart.size >= MAX_OPEN_WINDOWS) return undefined;
      window = { start, end: start + this.windowMicros, firstOffset: offset, cells: [], readings: 0 };
      this.byStart.set(start, window);
    }
    this.recent = window;
    return window;
  }

  private findCell(device: number, start: Micros): number {
    let cell = device < this.newest.length ? (this.newest[device] ?? NONE) : NONE;
    while (cell !== NONE && (this.numbers[cell * NUMBERS + START] ?? NaN) > start)
      cell = this.links[cell * LINKS + OLDER] ?? NONE;
    return cell !== NONE && this.numbers[cell * NUMBERS + START] === start ? cell : NONE;
  }

  private newCell(device: number, start: Micros): number {
    const cell = this.freeCells.pop() ?? this.cellsUsed++;
    this.makeRoom(device, cell);
    // The device's cells are linked in the order of their windows.
    let newer = NONE;
    let older = this.newest[device] ?? NONE;
    while (older !== NONE && (this.numbers[older * NUMBERS + START] ?? NaN) > start) {
      newer = older;
      older = this.links[older * LINKS + OLDER] ?? NONE;
    }
    if (newer === NONE) this.newest[device] = cell;
    else this.links[newer * LINKS + OLDER] = cell;
    if (older !== NONE) this.links[older * LINKS + NEWER] = cell;

    const at = cell * NUMBERS;
    this.numbers.fill(0, at, at + NUMBERS);
    this.numbers[at + START] = start;
    this.numbers[at + MIN] = Infinity;
    this.numbers[at + MAX] = -Infinity;
    this.numbers[at + LATEST] = -Infinity;
    this.numbers[at + LABEL] = -1;
    const link = cell * LINKS;
    this.links[link + DEVICE] = device;
    this.links[link + OLDER] = older;
    this.links[link + NEWER] = newer;
    this.links[link + HEAD] = NONE;
    this.links[link + TAIL] = NONE;
    return cell;
  }

  private append(cell: number, event: EventFields): void {
    const { numbers } = this;
    const { micros, temperature } = event;
    const at = cell * NUMBERS;
    const before = numbers[at + COUNT] ?? 0;
    const count = before + 1;
    const mean = numbers[at + MEAN] ?? 0;
    const deviation = temperature - mean;
    const moved = mean + deviation / count;
    numbers[at + COUNT] = count;
    numbers[at + MEAN] = moved;
    numbers[at + M2] = (numbers[at + M2] ?? 0) + deviation * (temperature - moved);
    if (temperature < (numbers[at + MIN] ?? Infinity)) numbers[at + MIN] = temperature;
    if (temperature > (numbers[at + MAX] ?? -Infinity)) numbers[at + MAX] = temperature;
    if (micros > (numbers[at + LATEST] ?? -Infinity)) numbers[at + LATEST] = micros;
    const { humidity, pressure, label } = event;
    if (!Number.isNaN(humidity)) {
      numbers[at + HUMIDITY_SUM] = (numbers[at + HUMIDITY_SUM] ?? 0) + humidity;
      numbers[at + HUMIDITY_COUNT] = (numbers[at + HUMIDITY_COUNT] ?? 0) + 1;
    }
    if (!Number.isNaN(pressure)) {
      numbers[at + PRESSURE_SUM] = (numbers[at + PRESSURE_SUM] ?? 0) + pressure;
      numbers[at + PRESSURE_COUNT] = (numbers[at + PRESSURE_COUNT] ?? 0) + 1;
    }
    if (label > (numbers[at + LABEL] ?? -1)) numbers[at + LABEL] = label;

    const place = before & (CHUNK - 1);
    const chunk = place === 0 ? this.chainChunk(cell) : (this.links[cell * LINKS + TAIL] ?? 0);
    const reading = (chunk * CHUNK + place) * PAIR;
    this.readingsOfChunks[reading] = micros;
    this.readingsOfChunks[reading + VALUE] = temperature;
    if (this.timesOfCell.size > 0) this.timesOfCell.get(cell)?.add(micros);
  }

  private chainChunk(cell: number): number {
    let chunk = this.firstFreeChunk;
    if (chunk !== NONE) {
      this.firstFreeChunk = this.nextChunk[chunk] ?? NONE;
    } else {
      chunk = this.chunksUsed++;
      if (chunk >= this.nextChunk.length) {
        this.readingsOfChunks = doubled(this.readingsOfChunks);
        this.nextChunk = lengthened(this.nextChunk, this.nextChunk.length * 2);
      }
    }
    this.nextChunk[chunk] = NONE;
    const link = cell * LINKS;
    const tail = this.links[link + TAIL] ?? NONE;
    if (tail === NONE) this.links[link + HEAD] = chunk;
    else this.nextChunk[tail] = chunk;
    this.links[link + TAIL] = chunk;
    return chunk;
  }

  private hasReadingAt(cell: number, micros: Micros): boolean {
    const count = this.numbers[cell * NUMBERS + COUNT] ?? 0;
    if (count > MAX_READINGS_SCANNED) {
      let known = this.timesOfCell.get(cell);
      if (known === undefined) {
        known = new Set(this.timesIn(cell, count));
        this.timesOfCell.set(cell, known);
      }
      return known.has(micros);
    }
    let left = count;
    for (
      let chunk = this.links[cell * LINKS + HEAD] ?? NONE;
      left > 0;
      chunk = this.nextChunk[chunk] ?? NONE
    ) {
      const start = chunk * CHUNK * PAIR;
      const end = start + Math.min(left, CHUNK) * PAIR;
      for (let at = start; at < end; at += PAIR) {
        if (this.readingsOfChunks[at] === micros) return true;
      }
      left -= CHUNK;
    }
    return false;
  }

  private *timesIn(cell: number, count: number): Generator<number> {
    let left = count;
    for (
      let chunk = this.links[cell * LINKS + HEAD] ?? NONE;
      left > 0;
      chunk = this.nextChunk[chunk] ?? NONE
    ) {
      for (let place = 0; place < Math.min(left, CHUNK); place += 1)
        yield this.readingsOfChunks[(chunk * CHUNK + place) * PAIR] ?? NaN;
      left -= CHUNK;
    }
  }

  private makeRoom(device: number, cell: number): void {
    if ((cell + 1) * NUMBERS > this.numbers.length) {
      this.numbers = doubled(this.numbers);
      this.links = new Int32Array(this.numbers.buffer);
    }
    if (device >= this.newest.length) {
      const length = this.newest.length;
      this.newest = lengthened(this.newest, Math.max(device + 1, length * 2));
      this.newest.fill(NONE, length);
    }
  }
}

const NONE = -1;
/** Readings that are taken from the pool at once; a power of two. */
const CHUNK = 8;
const FIRST_CELLS = 1_024;
const FIRST_CHUNKS = 2_048;

/** Numbers of a reading: its time, then its value. */
const PAIR = 2;
const VALUE = 1;

/** Places of a cell's numbers: 16 doubles, two cache lines. What every event looks at stands in the first. */
const NUMBERS = 16;
const START = 0;
const COUNT = 1;
const MEAN = 2;
const M2 = 3;
const MIN = 4;
const MAX = 5;
const LATEST = 6;
const HUMIDITY_SUM = 8;
const HUMIDITY_COUNT = 9;
const PRESSURE_SUM = 10;
const PRESSURE_COUNT = 11;
const LABEL = 12;

/**
 * Places of a cell's links, two in the room of a number that is left free for them: its chain of chunks, its device, the same device's
 * cells in the windows before and after.
 */
const LINKS = 2 * NUMBERS;
const TAIL = 14;
const OLDER = 15;
const DEVICE = 26;
const NEWER = 27;
const HEAD = 28;

function doubled(table: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(table.length * 2);
  larger.set(table);
  return larger;
}

function lengthened(table: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(table);
  return larger;
}
