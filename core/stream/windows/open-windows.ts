import { ROW_LIMITS } from '../../contracts/limits';
import { type StreamSettings } from '../../contracts/settings';
import { type Micros, windowStartOf } from '../../contracts/time';
import { type EventFields } from '../parse/event';
import { Cells, NO_CELL } from './cells';

/** A window that still takes readings. */
export interface OpenWindow {
  readonly start: Micros;
  readonly end: Micros;
  /** Offset of the first event in it: to rebuild the window, read from there. */
  readonly firstOffset: number;
  /** One cell a device. */
  readonly cells: number[];
  readings: number;
}

interface WindowSettings {
  readonly windowMicros: Micros;
  /** How many there are. */
  readonly covariates: number;
  readonly duplicates: StreamSettings['duplicates'];
}

/** Bounds on the state; beyond them events are rejected as `over-limit`, never silently dropped. */
export type OpenWindowLimits = Readonly<Record<'devicesPerWindow' | 'readingsPerWindow', number>>;

/**
 * The open windows of one partition. The bounds are per window, not over all of them, so that rebuilding the open windows from the log
 * after a crash gives the same verdicts as the first time.
 */
export class OpenWindows {
  private readonly byStart = new Map<Micros, OpenWindow>();
  /** The window of the latest event: nearly always that of the next one as well. */
  private recent: OpenWindow | undefined;
  readonly cells: Cells;

  private readonly windowMicros: Micros;

  constructor(
    { windowMicros, covariates, duplicates }: WindowSettings,
    private readonly limits: OpenWindowLimits = ROW_LIMITS,
  ) {
    this.windowMicros = windowMicros;
    this.cells = new Cells(covariates, duplicates);
  }

  get size(): number {
    return this.byStart.size;
  }

  get readings(): number {
    let total = 0;
    for (const window of this.byStart.values()) total += window.readings;
    return total;
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

  /** Start of the window to close when `next` starts the one after the last: of a long run of empty ones only the last is closed. */
  nextStart(next: Micros, limit: Micros): Micros {
    const { windowMicros } = this;
    const oldestOpen = this.inOrder()[0]?.start ?? Infinity;
    const emptyUntil = Math.min(oldestOpen, windowStartOf(limit, windowMicros));
    return (emptyUntil - next) / windowMicros > ROW_LIMITS.emptyWindowsWritten
      ? emptyUntil - windowMicros
      : next;
  }

  /** Whether a new device may still enter the window. */
  hasRoomForDevice(start: Micros): boolean {
    const window = this.byStart.get(start);
    return window === undefined
      ? this.byStart.size < ROW_LIMITS.openWindows
      : window.cells.length < this.limits.devicesPerWindow;
  }

  /** Add the reading of `event` by `device` to the window that starts at `start`, unless it is there already. */
  add(
    device: number,
    start: Micros,
    event: EventFields,
    offset: number,
  ): 'windowed' | 'duplicate' | 'over-limit' {
    const { cells } = this;
    let cell = cells.find(device, start);
    if (cell !== NO_CELL && cells.isDuplicate(cell, event)) return 'duplicate';
    const window = this.windowAt(start, offset);
    if (window === undefined || window.readings >= this.limits.readingsPerWindow) return 'over-limit';
    if (cell === NO_CELL) {
      if (window.cells.length >= this.limits.devicesPerWindow) return 'over-limit';
      cell = cells.add(device, start);
      window.cells.push(cell);
    }
    window.readings += 1;
    cells.append(cell, event);
    return 'windowed';
  }

  /** Free the window and its cells. */
  release(window: OpenWindow): void {
    for (const cell of window.cells) this.cells.release(cell);
    this.byStart.delete(window.start);
    if (this.recent === window) this.recent = undefined;
  }

  private windowAt(start: Micros, offset: number): OpenWindow | undefined {
    if (this.recent?.start === start) return this.recent;
    let window = this.byStart.get(start);
    if (window === undefined) {
      if (this.byStart.size >= ROW_LIMITS.openWindows) return undefined;
      window = { start, end: start + this.windowMicros, firstOffset: offset, cells: [], readings: 0 };
      this.byStart.set(start, window);
    }
    this.recent = window;
    return window;
  }
}
