import { emptyAnalysis, emptyEvaluations, type Verdict, VERDICTS } from '../contracts/blocks';
import { type MalformedDetail } from '../contracts/events';
import { type VersionId } from '../contracts/ids';
import { ROW_LIMITS } from '../contracts/limits';
import { type StreamSettings } from '../contracts/settings';
import { type AverageColumn, covariateColumns, historyWindows } from '../contracts/task';
import { type Micros, windowStartOf } from '../contracts/time';
import { type DeviceHistory, type DevicePast } from './forecasts/device-history';
import { Evaluator } from './forecasts/evaluator';
import { type PlannedForecasts } from './forecasts/forecasts';
import { emptyEvent, type EventFields } from './parse/event';
import { EventParser } from './parse/parse';
import { DeviceTable } from './windows/device-table';
import { OpenWindows, type OpenWindow, type OpenWindowLimits } from './windows/open-windows';
import { type OpenedAgain, WatermarkResets } from './watermark-resets';
import { type ClosedWindow } from './windows/rows';
import { type DeviceSummary, pushAnalysisRow, summariseCell } from './windows/summary';

/**
 * Counts of a partition: events read, which is always the sum of the five verdicts, events by verdict, and devices in closed windows that
 * some version should have forecast, and none could.
 */
export const COUNTS = ['read', ...VERDICTS, 'no_forecast'] as const;
export type Counts = Record<(typeof COUNTS)[number], number>;

export function zeroCounts(): Counts {
  return { read: 0, windowed: 0, late: 0, duplicate: 0, future: 0, malformed: 0, no_forecast: 0 };
}

/**
 * The stream path of one partition as a machine of values: events in, in log order, rows out. No clock, no Kafka, no
 * model: the same events and decisions (activations, deactivations, idle closings) always give the same rows.
 *
 * How to drive it: `ingest` each event; when `isDue()` afterwards, close the due windows with `closeDueWindows`
 * (closing.ts) before the next event is judged.
 */
export class PartitionEngine {
  readonly counts = zeroCounts();
  /** Why the latest event was `malformed`. */
  detail: MalformedDetail | undefined;
  /** Largest event time in a window so far; −Infinity before the first. */
  latestEvent: Micros = -Infinity;
  /** Every window that ends here or before is closed; −Infinity before the first closing. */
  closedUntil: Micros = -Infinity;

  readonly devices = new DeviceTable();
  readonly open: OpenWindows;
  readonly evaluator: Evaluator;
  readonly resets = new WatermarkResets();

  private readonly parser: EventParser;
  private readonly event: EventFields;
  private readonly covariateColumns: readonly AverageColumn[];
  private readonly windowMicros: Micros;
  /** End of the next window to close. */
  private nextEnd: Micros = Infinity;
  /** Forecasts of the first window were planned: from then on each closing plans those of the next. */
  opened = false;

  constructor(
    readonly partition: number,
    readonly settings: StreamSettings,
    limits?: OpenWindowLimits,
  ) {
    const { task } = settings;
    this.windowMicros = task.windowMicros;
    this.parser = new EventParser(task);
    this.event = emptyEvent(1 + task.covariates.length);
    this.covariateColumns = covariateColumns(task);
    this.open = new OpenWindows(task.windowMicros, task.covariates.length, limits);
    this.evaluator = new Evaluator(task);
  }

  get history(): DeviceHistory {
    return this.evaluator.history;
  }

  get inForce(): readonly VersionId[] {
    return this.evaluator.inForce;
  }

  /** A window closes when the watermark reaches its end. */
  get watermark(): Micros {
    return this.latestEvent - this.settings.watermarkMicros;
  }

  /**
   * Judge one event and, when it is good, put it into its window.
   * @param bytes the event's, or a buffer in which it is `bytes[start, end)`.
   * @param recordMicros Kafka's timestamp of the record; NaN = the event's own `record_timestamp` counts, if it has one.
   */
  ingest(
    bytes: Uint8Array | null,
    recordMicros: number,
    offset: number,
    start = 0,
    end: number = bytes?.length ?? 0,
  ): Verdict {
    const verdict = this.judge(bytes, recordMicros, offset, start, end);
    this.counts.read += 1;
    this.counts[verdict] += 1;
    if (verdict === 'windowed') {
      this.latestEvent = Math.max(this.latestEvent, this.event.micros);
      this.noteFirstWindow(this.event.micros);
    }
    return verdict;
  }

  /**
   * After a crash: put an event that was read before the checkpoint into its window again, if that is still open.
   * Nothing is counted and nothing closes: the checkpoint has both already.
   */
  rebuild(bytes: Uint8Array | null, recordMicros: number, offset: number): void {
    if (this.judge(bytes, recordMicros, offset, 0, bytes?.length ?? 0) === 'windowed')
      this.noteFirstWindow(this.event.micros);
  }

  /** Whether a window has to be closed before the next event may be judged. */
  isDue(): boolean {
    return this.watermark >= this.nextEnd;
  }

  /** Whether `closeNext` has anything to close up to `limit`. */
  isDueAt(limit: Micros): boolean {
    return limit >= this.nextEnd;
  }

  /** Lowest offset that has to be read again to rebuild the open windows; `next` when none is open. */
  rewindOffset(next: number): number {
    return this.open.inOrder().reduce((lowest, window) => Math.min(lowest, window.firstOffset), next);
  }

  /** First window that a version activated now can be scored on: none of its events has been read. */
  firstUnseenWindow(notBefore: Micros | null): Micros | null {
    const { windowMicros } = this;
    const bounds = [
      // An event right on a window's start has been read: that window is not unseen any more.
      windowStartOf(this.latestEvent, windowMicros) + windowMicros,
      this.closedUntil + windowMicros,
      Math.ceil((notBefore ?? -Infinity) / windowMicros) * windowMicros,
    ].filter(Number.isFinite);
    return bounds.length === 0 ? null : Math.max(...bounds);
  }

  /** First window without forecasts yet: the earliest that a version can be deactivated from. */
  firstUnforecastWindow(): Micros | null {
    if (Number.isFinite(this.closedUntil)) return this.closedUntil + this.windowMicros;
    return Number.isFinite(this.latestEvent) ? windowStartOf(this.latestEvent, this.windowMicros) : null;
  }

  activate(version: VersionId, residualStddev: number | null, from: Micros | null): void {
    this.evaluator.activate(version, residualStddev, from);
  }

  deactivate(version: VersionId, until: Micros | null): void {
    this.evaluator.deactivate(version, until);
  }

  /**
   * Set the largest event time seen back before the event at `offset`, so that later windows close again. Open windows stay open.
   * @returns undefined when nothing that was closed opens again.
   */
  resetWatermark(to: Micros, offset: number): OpenedAgain | undefined {
    if (to >= this.latestEvent) return undefined;
    const { closedUntil: before, windowMicros } = this;
    this.resets.add({ offset, lateBefore: Math.max(before, windowStartOf(this.watermark, windowMicros)) });
    this.latestEvent = to;
    const after = windowStartOf(to, windowMicros);
    if (after >= before) return undefined;
    this.closedUntil = after;
    this.nextEnd = after + windowMicros;
    this.evaluator.resetTo(after);
    return { before, after };
  }

  /** Give a device its past from the logged snapshot; only before the first event. */
  seed(deviceId: string, lastStart: Micros, past: DevicePast): void {
    this.history.seed(this.devices.numberOf(deviceId), lastStart, past);
  }

  /** Give a device the history that a checkpoint has of it. @returns its number. */
  restoreDevice(deviceId: string, numbers: Float64Array): number {
    const device = this.devices.numberOf(deviceId);
    this.history.restore(device, numbers);
    return device;
  }

  /**
   * Forecasts to make of the first window to close, from a seeded past. Those of every later window are planned when the
   * one before it closes. Answer with the evaluator's `accept`.
   */
  planOpening(): PlannedForecasts | undefined {
    if (this.opened) return undefined;
    this.opened = true;
    return this.evaluator.plan(this.nextEnd - this.windowMicros, this.devices.inOrder());
  }

  /** Close the next window that ends at or before `limit`. @returns its rows, and the forecasts to make of the one after it. */
  closeNext(limit: Micros): { readonly closed: ClosedWindow; readonly plan: PlannedForecasts | undefined } {
    const start = this.nextStart(limit);
    const window = this.open.inOrder().find((candidate) => candidate.start === start);
    const closed = this.rowsOf(start, window);
    if (window !== undefined) this.open.release(window);
    this.closedUntil = closed.end;
    this.nextEnd = closed.end + this.windowMicros;
    this.forgetVanished();
    return { closed, plan: this.evaluator.plan(closed.end, this.devices.inOrder()) };
  }

  /** Restore what a checkpoint has of the engine itself. */
  resume(state: Pick<PartitionEngine, 'counts' | 'latestEvent' | 'closedUntil' | 'opened'>): void {
    Object.assign(this.counts, state.counts);
    this.latestEvent = state.latestEvent;
    this.closedUntil = state.closedUntil;
    this.opened = state.opened;
    if (Number.isFinite(state.closedUntil)) this.nextEnd = state.closedUntil + this.windowMicros;
  }

  private judge(
    bytes: Uint8Array | null,
    recordMicros: number,
    offset: number,
    from: number,
    to: number,
  ): Verdict {
    const { event } = this;
    this.detail = bytes === null ? 'empty' : this.parser.parse(bytes, event, from, to);
    if (this.detail !== undefined) return 'malformed';
    const stamped = Number.isNaN(recordMicros) ? event.recordMicros : recordMicros;
    if (event.micros > stamped + this.settings.futureMicros) return 'future';
    const start = this.open.startOf(event.micros);
    if (this.resets.wasLate(start, offset)) return 'late';
    // Before the first closing no window may be there for the watermark to close; an event behind it is late all the same.
    if (start < this.closedUntil || start + this.windowMicros <= this.watermark) return 'late';
    const added = this.addToWindow(start, offset);
    if (added !== 'over-limit') return added;
    this.detail = 'over-limit';
    return 'malformed';
  }

  private addToWindow(start: Micros, offset: number): 'windowed' | 'duplicate' | 'over-limit' {
    const { idBytes, idStart, idEnd, idHash } = this.event;
    let device = this.devices.find(idBytes, idStart, idEnd, idHash);
    if (device < 0) {
      // A device that cannot enter the window must not get a number either.
      if (!this.open.hasRoomForDevice(start)) return 'over-limit';
      device = this.devices.add(idBytes, idStart, idEnd, idHash);
    }
    return this.open.add(device, start, this.event, offset);
  }

  /** Before anything has closed, the oldest open window is the next to close. */
  private noteFirstWindow(micros: Micros): void {
    if (this.closedUntil !== -Infinity) return;
    this.nextEnd = Math.min(this.nextEnd, this.open.startOf(micros) + this.windowMicros);
  }

  /** Start of the next window to close; of a long run of empty ones only the last is closed. */
  private nextStart(limit: Micros): Micros {
    const { windowMicros } = this;
    const next = this.nextEnd - windowMicros;
    const oldestOpen = this.open.inOrder()[0]?.start ?? Infinity;
    const emptyUntil = Math.min(oldestOpen, windowStartOf(limit, windowMicros));
    return (emptyUntil - next) / windowMicros > ROW_LIMITS.emptyWindowsWritten
      ? emptyUntil - windowMicros
      : next;
  }

  private rowsOf(start: Micros, window: OpenWindow | undefined): ClosedWindow {
    const analysis = emptyAnalysis(this.settings.task);
    const evaluations = emptyEvaluations();
    const summaries = new Map<number, DeviceSummary>();
    for (const device of window === undefined ? [] : this.devices.inOrder()) {
      const cell = this.open.cells.find(device, start);
      if (cell < 0) continue;
      const summary = summariseCell(this.open.cells, cell);
      summaries.set(device, summary);
      pushAnalysisRow(analysis, this.covariateColumns, this.devices.idOf(device), summary);
    }
    this.counts.no_forecast += this.evaluator.closeWindow(
      start,
      summaries,
      (device) => this.devices.idOf(device),
      evaluations,
    );
    return { partition: this.partition, start, end: start + this.windowMicros, analysis, evaluations };
  }

  /** Forget devices whose last window is older than all lags: no row can depend on them any more. */
  private forgetVanished(): void {
    const oldestLag = this.closedUntil - this.windowMicros * historyWindows(this.settings.task);
    const vanished: number[] = [];
    for (const device of this.devices.inOrder()) {
      if (this.history.newest(device) >= oldestLag || this.open.cells.has(device)) continue;
      this.history.forget(device);
      vanished.push(device);
    }
    this.devices.forget(vanished);
  }
}
