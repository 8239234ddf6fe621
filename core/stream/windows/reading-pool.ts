import { type Micros } from '../../contracts/time';
import { type SeenReadings } from './seen-readings';

/** Readings in a chunk; a power of two. */
export const CHUNK = 8;
export const NO_CHUNK = -1;
const FIRST_CHUNKS = 2_048;

/** Numbers of a reading: its time, then its value. */
const PAIR = 2;
const VALUE = 1;

/**
 * Readings of all open windows, in chains of chunks from one pool, so that an event allocates nothing. A reading's time and value lie
 * side by side.
 */
export class ReadingPool {
  private readings = new Float64Array(FIRST_CHUNKS * CHUNK * PAIR);
  private nextChunk = new Int32Array(FIRST_CHUNKS);
  private used = 0;
  private firstFree = NO_CHUNK;

  /** An empty chunk, chained behind `tail` unless that is `NO_CHUNK`. */
  extend(tail: number): number {
    let chunk = this.firstFree;
    if (chunk !== NO_CHUNK) {
      this.firstFree = this.nextChunk[chunk] ?? NO_CHUNK;
    } else {
      chunk = this.used++;
      if (chunk >= this.nextChunk.length) {
        this.readings = doubled(this.readings);
        this.nextChunk = lengthened(this.nextChunk, this.nextChunk.length * 2);
      }
    }
    this.nextChunk[chunk] = NO_CHUNK;
    if (tail !== NO_CHUNK) this.nextChunk[tail] = chunk;
    return chunk;
  }

  /** Free a whole chain. */
  release(head: number, tail: number): void {
    this.nextChunk[tail] = this.firstFree;
    this.firstFree = head;
  }

  write(chunk: number, place: number, micros: Micros, value: number): void {
    const at = (chunk * CHUNK + place) * PAIR;
    this.readings[at] = micros;
    this.readings[at + VALUE] = value;
  }

  /** How many of a chain's first `count` readings have |Z| = |x − mean| / stddev above `limit`. */
  countOutliers(head: number, count: number, mean: number, stddev: number, limit: number): number {
    let beyond = 0;
    for (let chunk = head, left = count; left > 0; chunk = this.nextChunk[chunk] ?? NO_CHUNK, left -= CHUNK) {
      const start = chunk * CHUNK * PAIR;
      const end = start + Math.min(left, CHUNK) * PAIR;
      for (let at = start; at < end; at += PAIR) {
        if (Math.abs((this.readings[at + VALUE] ?? NaN) - mean) / stddev > limit) beyond += 1;
      }
    }
    return beyond;
  }

  /** Whether one of a chain's first `count` readings has this time and, unless it is undefined, this value. */
  has(head: number, count: number, micros: Micros, value: number | undefined): boolean {
    for (let chunk = head, left = count; left > 0; chunk = this.nextChunk[chunk] ?? NO_CHUNK, left -= CHUNK) {
      const start = chunk * CHUNK * PAIR;
      const end = start + Math.min(left, CHUNK) * PAIR;
      for (let at = start; at < end; at += PAIR) {
        if (this.readings[at] !== micros) continue;
        if (value === undefined || this.readings[at + VALUE] === value) return true;
      }
    }
    return false;
  }

  /** Add a chain's first `count` readings to `seen`. */
  addTo(seen: SeenReadings, head: number, count: number): void {
    for (let chunk = head, left = count; left > 0; chunk = this.nextChunk[chunk] ?? NO_CHUNK, left -= CHUNK) {
      const start = chunk * CHUNK * PAIR;
      const end = start + Math.min(left, CHUNK) * PAIR;
      for (let at = start; at < end; at += PAIR)
        seen.add(this.readings[at] ?? NaN, this.readings[at + VALUE] ?? NaN);
    }
  }
}

export function doubled(table: Float64Array): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(table.length * 2);
  larger.set(table);
  return larger;
}

export function lengthened(table: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(length);
  larger.set(table);
  return larger;
}
