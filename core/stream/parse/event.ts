import { randomInt } from 'node:crypto';

/** Label of a reading: 1 = known to be anomalous, 0 = known not to be, −1 = not in the event. */
export type Label = -1 | 0 | 1;

/** One parsed event. A parser fills the same object for every event: a new one for each would slow a fast stream down. */
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
  /** Values of covariates that are in the event and are no readings: no number, implausible, or one that means "no reading". */
  badValues: number;
  /** Covariates without a value in the event. */
  absentValues: number;
  label: Label;
  /** The event's own `record_timestamp`: in a file that is replayed it stands for Kafka's; NaN = not in the event. */
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
    badValues: 0,
    absentValues: 0,
    label: -1,
    recordMicros: NaN,
  };
}

/**
 * FNV-1a in 32 bits (Fowler, Noll, Vo): cheap, a byte at a time while the id is scanned. Each process draws its own start and factor, so
 * that nobody can choose ids that all fall into one slot. With its own start alone, ids that collide under the published factor would
 * still collide in one process of a hundred. Nothing that is written depends on the hash.
 */
export const HASH_START = randomInt(2 ** 32) | 0;
/** 5 modulo 8: powers of such a number have as many residues as powers can have. */
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
