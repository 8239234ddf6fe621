import { randomInt } from 'node:crypto';

/** Label of a reading: 1 = known to be anomalous, 0 = known not to be, −1 = the event does not say. */
export type Label = -1 | 0 | 1;

/**
 * One event, read. There is one of these a parser, filled again for each event, because an object an event is what a
 * fast stream cannot afford.
 */
export interface EventFields {
  /** UTF-8 of the device id: `idBytes[idStart, idEnd)`; valid until the next event is read. */
  idBytes: Uint8Array;
  idStart: number;
  idEnd: number;
  /** `hashOfId` of those bytes. */
  idHash: number;
  micros: number;
  /** Readings in their sensors' units, in the task's order, the target first; NaN = not in the event. */
  readonly values: Float64Array;
  label: Label;
  /** The event's own `record_timestamp`: what Kafka would have stamped on it, in a file that is replayed. */
  recordMicros: number;
}

export function emptyEvent(sensors: number): EventFields {
  return {
    idBytes: new Uint8Array(0),
    idStart: 0,
    idEnd: 0,
    idHash: HASH_START,
    micros: NaN,
    values: new Float64Array(sensors).fill(NaN),
    label: -1,
    recordMicros: NaN,
  };
}

/**
 * FNV-1a in 32 bits (Fowler, Noll, Vo): cheap a byte at a time while the id is scanned anyway. Each process draws its start and its
 * factor anew, so that nobody can choose ids that all fall into one slot; with another start alone, ids that collide under the published
 * factor still do in one process of a hundred. Nothing that is written depends on it.
 */
export const HASH_START = randomInt(2 ** 32) | 0;
/** 5 modulo 8: powers of such a number run through as many residues as powers can. */
export const HASH_FACTOR = (randomInt(2 ** 29) << 3) | 5;

/** Spread a hash's high bits over its low ones, which choose the slot (Appleby's MurmurHash3): FNV lets similar ids agree in those. */
export function finishHash(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return mixed ^ (mixed >>> 13);
}

export function hashOfId(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), HASH_FACTOR);
  return finishHash(hash);
}
