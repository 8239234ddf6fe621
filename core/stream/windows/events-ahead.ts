import { type RejectReason, type Verdict } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { type StreamSettings } from '../../contracts/settings';
import { historyWindows } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type EventFields } from '../parse/event';
import { type AsideEvent, AsideEvents, deviceIdOf, type HeldEvent } from './aside-events';
import { type DeviceTable } from './device-table';
import { PartitionClock } from './partition-clock';

/** An event that was let go, and the source offset that was to be read next by then. */
export interface ReleasedEvent {
  readonly event: HeldEvent;
  readonly position: number;
}

/** An event that was kept aside, and became none of a window. */
export interface SettledEvent {
  readonly event: HeldEvent;
  readonly verdict: RejectReason;
  readonly detail: MalformedDetail | undefined;
}

/** What a checkpoint has of them: `settled` are offsets. */
export interface EventsAheadState {
  readonly aside: readonly AsideEvent[];
  readonly placed: readonly ReleasedEvent[];
  readonly settled: readonly number[];
}

/**
 * Events that came far ahead of their partition's time: kept aside, then let go in the order of the log, then in a window or refused.
 *
 * They are let go when the partition's time has come near, or when as many devices as the quorum asks for have reached it: then the time
 * jumps to the earliest that all of these have reached, so that one wrong clock among them moves nothing. They are refused, as `future`,
 * when the partition's time has moved on by all windows that a forecast looks back on, or beyond the bounds of what is kept.
 *
 * The open windows are rebuilt from the log after a crash. An event that went into its window later than the log has it is remembered
 * until that window has closed, and so is one that was refused.
 */
export class EventsAhead {
  readonly clock: PartitionClock;
  readonly aside = new AsideEvents();
  private readonly released: ReleasedEvent[] = [];
  /** In open windows. */
  private placed: ReleasedEvent[] = [];
  /** Offsets of those that were refused. */
  private settledOffsets: number[] = [];
  private unreported: SettledEvent[] = [];
  /** After a crash, until the open windows are rebuilt: events that go into their window later than the log has them. */
  private toPlace: ReleasedEvent[] = [];
  private readonly passedOver = new Set<number>();
  /** Longest advance of the partition's time that an event waits for. */
  private readonly patience: Micros;

  /** @param counts refused events are counted here. */
  constructor(
    private readonly settings: StreamSettings,
    private readonly devices: DeviceTable,
    private readonly counts: Record<Verdict, number>,
  ) {
    this.clock = new PartitionClock(settings);
    this.patience = historyWindows(settings.task) * settings.task.windowMicros;
  }

  /** Events that have no verdict yet. */
  get waiting(): number {
    return this.aside.size + this.released.length;
  }

  get hasReleased(): boolean {
    return this.released.length > 0;
  }

  get hasSettled(): boolean {
    return this.unreported.length > 0;
  }

  /** Whether the event has to wait for other devices. A device that is alone in its partition waits for nobody. */
  hasToWait(event: EventFields): boolean {
    const { devices, clock } = this;
    const { idBytes, idStart, idEnd, idHash, micros } = event;
    const device = devices.find(idBytes, idStart, idEnd, idHash);
    if (clock.latest === -Infinity) return false;
    const known = devices.size - (device < 0 ? 0 : 1);
    if (this.aside.size === 0)
      return known > 1 ? clock.isAhead(device, micros, false) : known === 1 && clock.isAheadOfOne(micros);
    const id = deviceIdOf(event);
    const others = known + this.strangers().filter((stranger) => stranger !== id).length;
    if (others > 1) return clock.isAhead(device, micros, this.aside.has(id));
    return others === 1 && clock.isAheadOfOne(micros);
  }

  /** @param position source offset to read next. */
  setAside(events: readonly HeldEvent[], position: number): void {
    for (const event of events) this.refuse(this.aside.add({ ...event, since: this.clock.latest }));
    this.releaseConfirmed(position);
  }

  /** The partition's time may have moved: let go what is not far ahead any more. */
  releaseReached(position: number): void {
    const { aside, clock, devices } = this;
    if (!clock.isConfirmed(NO_DEVICE, aside.earliest)) return;
    const isFree = (deviceId: string, micros: Micros): boolean =>
      clock.isConfirmed(devices.findId(deviceId), micros);
    this.release(
      aside.take(({ deviceId, micros }) => isFree(deviceId, micros), isFree),
      position,
    );
  }

  /** Let go what so many devices have reached that the partition's time may jump there. */
  releaseConfirmed(position: number): void {
    const { aside } = this;
    if (aside.size === 0) return;
    const time = aside.reachedBy(this.quorum());
    if (time === -Infinity) return;
    this.release(
      aside.take(({ micros }) => micros <= time),
      position,
    );
    // The others waited for the time from before the jump.
    for (const event of aside.inOrder()) event.since = time;
  }

  /** Let go what is not after `until`: whoever says so has a reason beyond the log, such as the clock on the wall. */
  believe(until: Micros, position: number): void {
    if (this.aside.earliest > until) return;
    this.release(
      this.aside.take(({ micros }) => micros <= until),
      position,
    );
  }

  /** Nothing will come any more that could confirm the events aside. */
  refuseAll(): void {
    this.refuse(this.aside.take(() => true));
  }

  next(): ReleasedEvent | undefined {
    return this.released.shift();
  }

  /** A released event is in its window. */
  place(released: ReleasedEvent): void {
    this.placed.push(released);
  }

  /** An event is in no window, for good. */
  settle(event: HeldEvent, verdict: RejectReason, detail?: MalformedDetail): void {
    this.settledOffsets.push(event.offset);
    this.unreported.push({ event, verdict, detail });
  }

  /** What was settled since the last call. */
  takeSettled(): readonly SettledEvent[] {
    return this.unreported.splice(0);
  }

  /** A window has closed. @param rewind offset from which the open ones would be rebuilt. */
  closed(closedUntil: Micros, rewind: number): void {
    if (this.placed.length > 0) this.placed = this.placed.filter(({ event }) => event.micros >= closedUntil);
    if (this.settledOffsets.length > 0)
      this.settledOffsets = this.settledOffsets.filter((offset) => offset >= rewind);
    if (this.aside.size > 0)
      this.refuse(this.aside.take(({ since }) => this.clock.latest - since > this.patience));
  }

  /** Whether the log's event at this offset is not to be put into a window where the log has it. */
  passesOver(offset: number): boolean {
    return this.passedOver.has(offset);
  }

  /** Events to put into their windows before the one at `position`. */
  dueAt(position: number): readonly ReleasedEvent[] {
    const later = this.toPlace.findIndex((one) => one.position > position);
    return this.toPlace.splice(0, later === -1 ? this.toPlace.length : later);
  }

  get isRebuilding(): boolean {
    return this.toPlace.length > 0;
  }

  save(): EventsAheadState {
    return { aside: this.aside.inOrder(), placed: this.placed, settled: this.settledOffsets };
  }

  restore({ aside, placed, settled }: EventsAheadState): void {
    for (const event of aside) this.aside.add(event);
    this.placed = [...placed];
    this.toPlace = [...placed];
    this.settledOffsets = [...settled];
    for (const { offset } of aside) this.passedOver.add(offset);
    for (const { event } of placed) this.passedOver.add(event.offset);
    for (const offset of settled) this.passedOver.add(offset);
  }

  private release(events: readonly HeldEvent[], position: number): void {
    for (const event of events) this.released.push({ event, position });
  }

  private refuse(events: readonly HeldEvent[]): void {
    this.counts.future += events.length;
    for (const event of events) this.settle(event, 'future');
  }

  /** Devices aside that are in no window. */
  private strangers(): readonly string[] {
    return this.aside.deviceIds.filter((id) => this.devices.findId(id) < 0);
  }

  /** Devices that have to agree on a jump. One of two would have no more right than the other. */
  private quorum(): number {
    const known = this.devices.size + this.strangers().length;
    return known <= 1 ? 1 : Math.min(this.settings.clockQuorum, Math.max(2, Math.ceil(known / 2)));
  }
}

/** Number of no device. */
const NO_DEVICE = -1;
