import { ASIDE_LIMITS } from '../../contracts/limits';
import { type Micros } from '../../contracts/time';
import { type EventFields } from '../parse/event';

/** An event by its bytes, to be judged again. */
export interface HeldEvent {
  readonly offset: number;
  /** Kafka's timestamp of the record; NaN = the event's own counts. */
  readonly recordMicros: Micros;
  readonly deviceId: string;
  readonly micros: Micros;
  readonly bytes: Uint8Array;
}

/** Where an event's record is: its bytes are `bytes[start, end)`. */
export interface EventPlace {
  readonly bytes: Uint8Array | null;
  readonly recordMicros: Micros;
  readonly offset: number;
  readonly start: number;
  readonly end: number;
}

/** A copy of a parsed event. */
export function heldEvent(
  event: EventFields,
  { bytes, recordMicros, offset, start, end }: EventPlace,
): HeldEvent {
  return {
    offset,
    recordMicros,
    deviceId: deviceIdOf(event),
    micros: event.micros,
    bytes: new Uint8Array(bytes?.subarray(start, end) ?? []),
  };
}

export function deviceIdOf({ idBytes, idStart, idEnd }: EventFields): string {
  return ID_TEXT.decode(idBytes.subarray(idStart, idEnd));
}

/** Ids keep every character, so that they can be looked up by it. */
const ID_TEXT = new TextDecoder('utf-8', { ignoreBOM: true });

/** `since`: the partition's time when the event came, or when its time last jumped. */
export interface AsideEvent extends HeldEvent {
  since: Micros;
}

interface OfDevice {
  readonly events: AsideEvent[];
  earliest: Micros;
  latest: Micros;
}

/**
 * Events that are far ahead of their partition, by device, bounded in number and bytes. A quorum of devices is let go at once, so there
 * are never more devices here than a quorum has.
 */
export class AsideEvents {
  private readonly byDevice = new Map<string, OfDevice>();
  private count = 0;
  private bytes = 0;
  /** Smallest event time; Infinity while there is none. */
  earliest: Micros = Infinity;

  constructor(private readonly limits: typeof ASIDE_LIMITS = ASIDE_LIMITS) {}

  get size(): number {
    return this.count;
  }

  /** Whether events of the device are here. */
  has(deviceId: string): boolean {
    return this.byDevice.has(deviceId);
  }

  get deviceIds(): readonly string[] {
    return [...this.byDevice.keys()];
  }

  /** Smallest offset; Infinity while there is none. */
  get firstOffset(): number {
    let first = Infinity;
    for (const { events } of this.byDevice.values())
      for (const { offset } of events) first = Math.min(first, offset);
    return first;
  }

  /** In the order of the log. */
  inOrder(): readonly AsideEvent[] {
    return [...this.byDevice.values()].flatMap(({ events }) => events).sort((a, b) => a.offset - b.offset);
  }

  /** @returns events that have to go, over the bounds: the device that is furthest ahead loses its last ones. */
  add(event: AsideEvent): readonly AsideEvent[] {
    const isFull = this.count >= this.limits.events || this.bytes + event.bytes.length > this.limits.bytes;
    if (isFull && event.micros >= this.reachedBy(1)) return [event];
    const of = this.byDevice.get(event.deviceId) ?? { events: [], earliest: Infinity, latest: -Infinity };
    this.byDevice.set(event.deviceId, of);
    of.events.push(event);
    of.earliest = Math.min(of.earliest, event.micros);
    of.latest = Math.max(of.latest, event.micros);
    this.count += 1;
    this.bytes += event.bytes.length;
    this.earliest = Math.min(this.earliest, event.micros);
    const beyond: AsideEvent[] = [];
    while (this.count > this.limits.events || this.bytes > this.limits.bytes)
      beyond.push(...this.removeFurthest());
    return beyond;
  }

  /** Largest time that so many devices have reached; −Infinity while there are fewer. */
  reachedBy(devices: number): Micros {
    const latest = [...this.byDevice.values()].map((of) => of.latest).sort((a, b) => b - a);
    return latest[devices - 1] ?? -Infinity;
  }

  /** Take out the events that `isFree` says, in the order of the log. `mayBeFree` tells by a device's earliest time whether any can be. */
  take(
    isFree: (event: AsideEvent) => boolean,
    mayBeFree: (deviceId: string, earliest: Micros) => boolean = () => true,
  ): readonly AsideEvent[] {
    const taken: AsideEvent[] = [];
    for (const [deviceId, { events, earliest }] of this.byDevice) {
      if (!mayBeFree(deviceId, earliest)) continue;
      const kept: AsideEvent[] = [];
      for (const event of events) (isFree(event) ? taken : kept).push(event);
      if (kept.length < events.length) this.keep(deviceId, kept);
    }
    this.forget(taken);
    return taken.sort((a, b) => a.offset - b.offset);
  }

  private removeFurthest(): readonly AsideEvent[] {
    const furthest = [...this.byDevice].reduce((one, other) =>
      other[1].latest > one[1].latest ? other : one,
    );
    const [deviceId, { events }] = furthest;
    const last = events.slice(-1);
    this.keep(deviceId, events.slice(0, -1));
    this.forget(last);
    return last;
  }

  private forget(events: readonly AsideEvent[]): void {
    if (events.length === 0) return;
    for (const { bytes } of events) this.bytes -= bytes.length;
    this.count -= events.length;
    this.earliest = [...this.byDevice.values()].reduce(
      (first, { earliest }) => Math.min(first, earliest),
      Infinity,
    );
  }

  private keep(deviceId: string, events: AsideEvent[]): void {
    if (events.length === 0) {
      this.byDevice.delete(deviceId);
      return;
    }
    const times = events.map(({ micros }) => micros);
    this.byDevice.set(deviceId, {
      events,
      earliest: times.reduce((a, b) => Math.min(a, b)),
      latest: times.reduce((a, b) => Math.max(a, b)),
    });
  }
}
