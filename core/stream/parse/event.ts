/** Label of a reading: 1 = known to be anomalous, 0 = known not to be, −1 = the event does not say. */
export type Label = -1 | 0 | 1;

/**
 * One event, read. There is one of these a parser, filled again for each event, because an object an event is what a
 * fast stream cannot afford. Temperature in °C, humidity in %, pressure in hPa; NaN = not in the event.
 */
export interface EventFields {
  /** UTF-8 of the device id: `idBytes[idStart, idEnd)`; valid until the next event is read. */
  idBytes: Uint8Array;
  idStart: number;
  idEnd: number;
  /** `hashOfId` of those bytes. */
  idHash: number;
  micros: number;
  temperature: number;
  humidity: number;
  pressure: number;
  label: Label;
  /** The event's own `record_timestamp`: what Kafka would have stamped on it, in a file that is replayed. */
  recordMicros: number;
}

/** Why bytes are no event. The set is closed, so that it can be a header's value and a metric's label. */
export const MALFORMED_DETAILS = [
  'empty',
  'too-large',
  'not-utf8',
  'not-json',
  'nested-too-deep',
  'not-an-object',
  'duplicate-key',
  'forbidden-key',
  'missing-device-id',
  'bad-device-id',
  'missing-timestamp',
  'bad-timestamp',
  'bad-record-timestamp',
  'missing-temperature',
  'bad-temperature',
  'bad-humidity',
  'bad-pressure',
  'bad-label',
  /** A good event that would have gone over a bound on the state: see limits.ts. */
  'over-limit',
] as const;
export type MalformedDetail = (typeof MALFORMED_DETAILS)[number];

export function emptyEvent(): EventFields {
  return {
    idBytes: new Uint8Array(0),
    idStart: 0,
    idEnd: 0,
    idHash: HASH_START,
    micros: NaN,
    temperature: NaN,
    humidity: NaN,
    pressure: NaN,
    label: -1,
    recordMicros: NaN,
  };
}

/** FNV-1a in 32 bits (Fowler, Noll, Vo): cheap a byte at a time while the id is scanned anyway. */
export const HASH_START = 0x811c9dc5 | 0;
export const HASH_FACTOR = 0x01000193;

export function hashOfId(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), HASH_FACTOR);
  return hash;
}
