import { windowStartOf, type Micros } from '../core/contracts/time';
import { partitionOf } from '../core/platform/kafka';
import { EVENTS_PER_SEND } from './constants';
import { windowEvents, type FleetEvent, type LiveGrid } from './events';
import { type FleetPlan } from './plan';

/** The last record that the fleet has left in a partition. */
export interface LastRecord {
  readonly partition: number;
  readonly timestampMillis: number;
  readonly value: Buffer;
}

/**
 * Plays the live windows: hands out the events to be sent next. It keeps one window of events in memory and has no clock and no Kafka;
 * its position follows from the topic's last records.
 */
export class Playback {
  private readonly partitionOfDevice: Int32Array;
  /** Per partition with devices, the largest event time handed out, in ms; −∞ where nothing was sent yet. */
  private readonly largest = new Map<number, number>();
  private readonly resumed: Map<number, LastRecord>;
  private window: number;
  private events: readonly FleetEvent[] = [];
  private next = 0;
  private made = false;
  private reachedMillis: number;

  /** @param partitions of the stream's topic · `last` what is there already, none for a new run */
  constructor(
    private readonly plan: FleetPlan,
    private readonly grid: LiveGrid,
    partitions: number,
    last: readonly LastRecord[] = [],
  ) {
    this.partitionOfDevice = Int32Array.from(plan.devices, ({ id }) => partitionOf(id, partitions));
    this.resumed = new Map(last.map((record) => [record.partition, record]));
    for (const partition of this.partitionOfDevice) {
      this.largest.set(partition, this.resumed.get(partition)?.timestampMillis ?? Number.NEGATIVE_INFINITY);
    }
    this.goOnInNewPartitions();
    // A crash may have cut a batch short: play from where the partition that got least ends; the others skip what they have.
    const began = Math.min(...this.largest.values());
    this.window = Math.max(0, this.windowOf(began));
    this.reachedMillis = Math.max(grid.liveStart / 1_000, ...this.largest.values());
  }

  /**
   * A partition that got nothing, while others are further than a crash can have cut off, was added to the topic: what its devices have sent
   * before lies elsewhere, and must not come twice.
   */
  private goOnInNewPartitions(): void {
    const reached = Math.max(...this.largest.values());
    const cutOff = Math.ceil((2 * EVENTS_PER_SEND) / (this.plan.devices.length * this.grid.readings)) + 1;
    if (this.windowOf(reached) <= cutOff) return;
    for (const [partition, millis] of this.largest) {
      if (millis !== Number.NEGATIVE_INFINITY) continue;
      this.largest.set(partition, reached);
      this.resumed.set(partition, { partition, timestampMillis: reached, value: Buffer.alloc(0) });
    }
  }

  /** Simulated time: everything sent before it has been handed out. */
  get position(): Micros {
    return this.reachedMillis * 1_000;
  }

  /** Live window that the position lies in. */
  get liveWindow(): number {
    return Math.max(0, this.windowOf(this.reachedMillis));
  }

  /** Whether every partition with devices has been sent an event at or after `time`. */
  passed(time: Micros): boolean {
    for (const millis of this.largest.values()) {
      if (millis * 1_000 < time) return false;
    }
    return true;
  }

  partitionOf(event: FleetEvent): number {
    return this.partitionOfDevice[event.device.index] ?? 0;
  }

  /**
   * The next events in the order of sending: at most `limit`, all sent before `until`. None are left before `until` when
   * fewer than `limit` come; the position is then `until`.
   */
  nextEvents(limit: number, until: Micros): readonly FleetEvent[] {
    const untilMillis = Math.ceil(until / 1_000);
    const events: FleetEvent[] = [];
    while (events.length < limit) {
      if (!this.made) this.makeWindow();
      const event = this.events[this.next];
      if (event === undefined) {
        if (this.windowEndMillis() > untilMillis) break;
        this.window += 1;
        this.made = false;
        if (this.windowStartMillis() >= untilMillis) break;
        continue;
      }
      if (event.sentMillis >= untilMillis) break;
      this.next += 1;
      events.push(event);
      const partition = this.partitionOf(event);
      // A clock that is fast does not count: the stream may call its events `future`.
      const millis = Math.min(event.eventMillis, event.sentMillis);
      this.largest.set(partition, Math.max(this.largest.get(partition) ?? millis, millis));
    }
    const last = events.length < limit ? untilMillis : (events.at(-1)?.sentMillis ?? untilMillis);
    this.reachedMillis = Math.max(this.reachedMillis, last);
    return events;
  }

  private makeWindow(): void {
    const all = windowEvents(this.plan, this.grid, this.window);
    this.events =
      this.resumed.size === 0 || this.window > this.lastResumedWindow() ? all : this.notYetSent(all);
    this.next = 0;
    this.made = true;
  }

  private notYetSent(events: readonly FleetEvent[]): readonly FleetEvent[] {
    const sameAsLast = new Map<number, number>();
    events.forEach((event, index) => {
      const partition = this.partitionOf(event);
      const last = this.resumed.get(partition);
      if (last?.timestampMillis === event.sentMillis && last.value.equals(event.value))
        sameAsLast.set(partition, index);
    });
    return events.filter((event, index) => {
      const last = this.resumed.get(this.partitionOf(event));
      if (last === undefined) return true;
      if (event.sentMillis !== last.timestampMillis) return event.sentMillis > last.timestampMillis;
      return index > (sameAsLast.get(this.partitionOf(event)) ?? Number.POSITIVE_INFINITY);
    });
  }

  private lastResumedWindow(): number {
    return Math.max(
      ...[...this.resumed.values()].map(({ timestampMillis }) => this.windowOf(timestampMillis)),
    );
  }

  private windowOf(millis: number): number {
    if (millis === Number.NEGATIVE_INFINITY) return 0;
    const { liveStart, windowMicros } = this.grid;
    return windowStartOf(millis * 1_000 - liveStart, windowMicros) / windowMicros;
  }

  private windowStartMillis(): number {
    return (this.grid.liveStart + this.window * this.grid.windowMicros) / 1_000;
  }

  private windowEndMillis(): number {
    return this.windowStartMillis() + this.grid.windowMicros / 1_000;
  }
}
