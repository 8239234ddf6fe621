import { type Verdict } from '../contracts/blocks';
import { type MalformedDetail } from '../contracts/events';
import { type VersionId } from '../contracts/ids';
import { type StreamSettings } from '../contracts/settings';
import { type Micros } from '../contracts/time';
import { closedWindow, forgetVanished } from './closed-window';
import { zeroCounts } from './windows/counts';
import { type DeviceHistory, type DevicePast } from './forecasts/device-history';
import { Evaluator } from './forecasts/evaluator';
import { type PlannedForecasts } from './forecasts/forecasts';
import { emptyEvent, type EventFields } from './parse/event';
import { EventParser } from './parse/parse';
import { beginAgain } from './take-back';
import { deviceIdOf, type EventPlace, heldEvent } from './windows/aside-events';
import { DeviceTable } from './windows/device-table';
import { EventsAhead, type ReleasedEvent } from './windows/events-ahead';
import { Opening } from './windows/opening';
import { OpenWindows, type OpenWindowLimits } from './windows/open-windows';
import { type PartitionClock } from './windows/partition-clock';
import { WindowSchedule } from './windows/window-schedule';
import { WatermarkResets } from './watermark-resets';
import { type ClosedWindow } from './windows/rows';

/**
 * The stream path of one partition as a machine of values: events in, in log order, rows out. No clock, no Kafka, no
 * model: the same events and decisions (activations, deactivations, idle closings) always give the same rows.
 *
 * How to drive it: `ingest` each event; when `isDue()` afterwards, close the due windows with `closeDueWindows`
 * (closing.ts) before the next event is judged, and report what `ahead` has settled.
 */
export class PartitionEngine {
  readonly counts = zeroCounts();
  /** Why the latest event was `malformed`. */
  detail: MalformedDetail | undefined;
  readonly devices = new DeviceTable();
  readonly open: OpenWindows;
  readonly schedule: WindowSchedule;
  readonly evaluator: Evaluator;
  /** Events that other devices have to confirm, and what became of them. */
  readonly ahead: EventsAhead;
  readonly clock: PartitionClock;
  /** Until a second device is in a window, or a window has closed. */
  opening: Opening | undefined;
  readonly resets = new WatermarkResets();

  private readonly parser: EventParser;
  private readonly event: EventFields;
  private readonly windowMicros: Micros;
  /** Device of the latest event that reached a window. */
  private device = -1;
  /** Forecasts of the first window were planned: from then on each closing plans those of the next. */
  opened = false;

  constructor(
    readonly partition: number,
    readonly settings: StreamSettings,
    limits?: OpenWindowLimits,
  ) {
    const { task } = settings;
    this.windowMicros = task.windowMicros;
    this.parser = new EventParser(task, settings.plausible);
    this.event = emptyEvent(1 + task.covariates.length);
    this.open = new OpenWindows(
      {
        windowMicros: task.windowMicros,
        covariates: task.covariates.length,
        duplicates: settings.duplicates,
      },
      limits,
    );
    this.schedule = new WindowSchedule(task.windowMicros);
    this.evaluator = new Evaluator(task);
    this.ahead = new EventsAhead(settings, this.devices, this.counts);
    this.clock = this.ahead.clock;
    if (settings.clockQuorum > 1) this.opening = new Opening();
  }

  get history(): DeviceHistory {
    return this.evaluator.history;
  }
  get inForce(): readonly VersionId[] {
    return this.evaluator.inForce;
  }

  /** Every window that ends here or before is closed; −Infinity before the first closing. */
  get closedUntil(): Micros {
    return this.schedule.closedUntil;
  }

  /** Largest event time in a window so far; −Infinity before the first. */
  get latestEvent(): Micros {
    return this.clock.latest;
  }

  /** Events that say something of the partition's present: those of clocks that are far ahead do not. */
  get ordinaryEvents(): number {
    return this.counts.read - this.counts.future - this.ahead.waiting;
  }

  /** A window closes when the watermark reaches its end. */
  get watermark(): Micros {
    return this.clock.latest - this.settings.watermarkMicros;
  }

  /**
   * Judge one event and, when it is good, put it into its window. An event far ahead of its partition gets its verdict later.
   * @param bytes the event's, or a buffer in which it is `bytes[start, end)`.
   * @param recordMicros Kafka's timestamp of the record; NaN = the event's own `record_timestamp` counts, if it has one.
   */
  ingest(
    bytes: Uint8Array | null,
    recordMicros: number,
    offset: number,
    start = 0,
    end: number = bytes?.length ?? 0,
  ): Verdict | 'aside' {
    this.endRebuilding();
    const { ahead, opening } = this;
    const verdict = this.judge(bytes, recordMicros, offset, start, end);
    this.counts.read += 1;
    if (verdict !== 'aside') this.counts[verdict] += 1;
    if (verdict === 'windowed') {
      this.noteWindowed();
      if (opening !== undefined) this.watchOpening(opening, { bytes, recordMicros, offset, start, end });
      if (ahead.aside.size > 0) ahead.releaseReached(offset + 1);
    } else if (verdict === 'aside') {
      ahead.setAside([heldEvent(this.event, { bytes, recordMicros, offset, start, end })], offset + 1);
    } else if (verdict === 'late' && opening !== undefined) {
      const first = opening.late(deviceIdOf(this.event));
      if (first === undefined) return verdict;
      beginAgain(this, first, { bytes, recordMicros, offset, start, end });
      return 'windowed';
    }
    return verdict;
  }

  /**
   * After a crash: put an event that was read before the checkpoint into its window again, if that is still open.
   * Nothing is counted and nothing closes: the checkpoint has both already.
   */
  rebuild(bytes: Uint8Array | null, recordMicros: number, offset: number): void {
    this.placeBefore(offset);
    if (this.ahead.passesOver(offset)) return;
    const end = bytes?.length ?? 0;
    const verdict = this.parse(bytes, recordMicros, 0, end) ?? this.place(offset);
    if (verdict !== 'windowed') return;
    this.schedule.note(this.open.startOf(this.event.micros));
    if (this.opening !== undefined)
      this.watchOpening(this.opening, { bytes, recordMicros, offset, start: 0, end });
  }

  /** Everything that was read before the crash is rebuilt. */
  endRebuilding(): void {
    if (this.ahead.isRebuilding) this.placeBefore(Infinity);
  }

  /** Whether windows have to be closed, or released events judged, before the next event may be judged. */
  isDue(): boolean {
    return (
      this.clock.latest - this.settings.watermarkMicros >= this.schedule.nextEnd || this.ahead.hasReleased
    );
  }

  /** Whether `closeNext` has anything to close up to `limit`. */
  isDueAt(limit: Micros): boolean {
    return limit >= this.schedule.nextEnd;
  }

  /** Lowest offset that has to be read again to rebuild the open windows; `next` when none is open. */
  rewindOffset(next: number): number {
    return this.open.inOrder().reduce((lowest, window) => Math.min(lowest, window.firstOffset), next);
  }

  firstUnseenWindow(notBefore: Micros | null): Micros | null {
    return this.schedule.firstUnseen(this.latestEvent, notBefore);
  }
  firstUnforecastWindow(): Micros | null {
    return this.schedule.firstUnforecast(this.latestEvent);
  }

  activate(...version: Parameters<Evaluator['activate']>): void {
    this.evaluator.activate(...version);
  }
  deactivate(version: VersionId, until: Micros | null): void {
    this.evaluator.deactivate(version, until);
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
    return this.evaluator.plan(this.schedule.nextEnd - this.windowMicros, this.devices.inOrder());
  }

  /** Close the next window that ends at or before `limit`. @returns its rows, and the forecasts to make of the one after it. */
  closeNext(limit: Micros): { readonly closed: ClosedWindow; readonly plan: PlannedForecasts | undefined } {
    const start = this.open.nextStart(this.schedule.nextEnd - this.windowMicros, limit);
    const window = this.open.inOrder().find((candidate) => candidate.start === start);
    const closed = closedWindow(this, start, window);
    if (window !== undefined) this.open.release(window);
    this.schedule.close(closed.end);
    forgetVanished(this);
    this.opening = undefined;
    this.ahead.closed(this.closedUntil, this.rewindOffset(Infinity));
    return { closed, plan: this.evaluator.plan(closed.end, this.devices.inOrder()) };
  }

  private judge(
    bytes: Uint8Array | null,
    recordMicros: number,
    offset: number,
    from: number,
    to: number,
  ): Verdict | 'aside' {
    const refused = this.parse(bytes, recordMicros, from, to);
    if (refused !== undefined) return refused;
    if (this.clock.mayBeAhead(this.event.micros) && this.ahead.hasToWait(this.event)) return 'aside';
    return this.place(offset);
  }

  /** Judge an event that was let go, without counting it. */
  judgeReleased({ event, position }: ReleasedEvent): Verdict {
    const { bytes, recordMicros } = event;
    // A window that it opens is rebuilt from where it was let go.
    return this.parse(bytes, recordMicros, 0, bytes.length) ?? this.place(position);
  }

  private parse(
    bytes: Uint8Array | null,
    recordMicros: number,
    from: number,
    to: number,
  ): 'malformed' | 'future' | undefined {
    const { event } = this;
    this.detail = bytes === null ? 'empty' : this.parser.parse(bytes, event, from, to);
    if (this.detail !== undefined) return 'malformed';
    const stamped = Number.isNaN(recordMicros) ? event.recordMicros : recordMicros;
    return event.micros > stamped + this.settings.futureMicros ? 'future' : undefined;
  }

  /** Put the parsed event into its window. */
  private place(offset: number): Verdict {
    const start = this.open.startOf(this.event.micros);
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
    this.device = device;
    return this.open.add(device, start, this.event, offset);
  }

  /** The event that was judged last is in its window. */
  noteWindowed(): void {
    this.counts.bad_values += this.event.badValues;
    this.counts.absent_values += this.event.absentValues;
    this.clock.note(this.device, this.event.micros);
    if (this.schedule.closedUntil === -Infinity) this.schedule.note(this.open.startOf(this.event.micros));
  }

  private watchOpening(opening: Opening, place: EventPlace): void {
    if (!opening.windowed(heldEvent(this.event, place))) this.opening = undefined;
  }

  /** While open windows are rebuilt: events that were let go before `position` was read. */
  private placeBefore(position: number): void {
    for (const released of this.ahead.dueAt(position))
      if (this.judgeReleased(released) === 'windowed')
        this.schedule.note(this.open.startOf(this.event.micros));
  }
}
