import { type RawRecord } from './types';

/** The records of one batch, read in place. Format: "Record" in Kafka's protocol documentation. */

/** What the records of one fetched batch have in common. */
export interface BatchPlace {
  /** Where the records lie: the response, or what they were decompressed into. */
  readonly response: Buffer;
  /** Milliseconds since 1970 that the records count from; where the broker stamped them, all have it. */
  readonly timestamp: number;
  readonly isStampedByBroker: boolean;
}

/** One fetched record: places in the response, as small whole numbers, for there is one for each event. Views are made on demand. */
export class FetchedRecord implements RawRecord {
  constructor(
    private readonly batch: BatchPlace,
    readonly offset: number,
    private readonly timestampDelta: number,
    /** Where the length of the key stands, and the key behind it. */
    private readonly keyAt: number,
    readonly valueStart: number,
    readonly valueLength: number,
  ) {}

  get response(): Buffer {
    return this.batch.response;
  }

  /** Milliseconds since 1970. */
  get timestamp(): number {
    const { timestamp, isStampedByBroker } = this.batch;
    return isStampedByBroker ? timestamp : timestamp + this.timestampDelta;
  }

  get key(): Buffer | null {
    cursor = this.keyAt;
    return readSized(this.response);
  }

  get value(): Buffer | null {
    if (this.valueLength < 0) return null;
    return this.response.subarray(this.valueStart, this.valueStart + this.valueLength);
  }

  get headers(): NonNullable<RawRecord['headers']> {
    return readHeaders(this.response, this.valueStart + Math.max(0, this.valueLength));
  }

  get undecodable(): undefined {
    return undefined;
  }
}

interface WantedRecords {
  readonly count: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
}

/**
 * Read the records of `batch` that lie in [`start`, `end`) into `out`.
 * @returns false when they are not what a batch has: as many as it says, in the order of their offsets, and nothing else.
 */
export function readRecords(
  batch: BatchPlace,
  start: number,
  end: number,
  { count, baseOffset, lastOffset }: WantedRecords,
  out: unknown[],
): boolean {
  const bytes = batch.response;
  let before = baseOffset - 1;
  cursor = start;
  for (let left = count; left > 0; left -= 1) {
    const length = readVarint(bytes);
    const behind = cursor + length;
    if (length <= 0 || behind > end) return false;
    // Attributes.
    cursor += 1;
    const timestampDelta = readVarint(bytes);
    const offset = baseOffset + readVarint(bytes);
    if (offset <= before || offset > lastOffset) return false;
    before = offset;
    const keyAt = cursor;
    const keyLength = readVarint(bytes);
    if (keyLength > 0) cursor += keyLength;
    const valueLength = readVarint(bytes);
    if (cursor + valueLength >= behind) return false;
    out.push(new FetchedRecord(batch, offset, timestampDelta, keyAt, cursor, valueLength));
    cursor = behind;
  }
  return cursor === end;
}

/** The key of a marker's only record is two numbers of 16 bits: its version, and its kind, which is 0 where a transaction was aborted. */
export function isAbortMarker(bytes: Buffer, start: number): boolean {
  cursor = start;
  // Length, attributes, timestamp and offset come first.
  readVarint(bytes);
  cursor += 1;
  readVarint(bytes);
  readVarint(bytes);
  const key = readSized(bytes);
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}

/** Far more than any producer gives a record. A few kilobytes can be made to decompress to millions. */
const MAX_HEADERS = 1_000;

function readHeaders(bytes: Buffer, start: number): NonNullable<RawRecord['headers']> {
  const headers = new Map<string, Buffer | (Buffer | string)[]>();
  cursor = start;
  // Never more than the bytes have, whatever the number says.
  for (let left = Math.min(readVarint(bytes), MAX_HEADERS); left > 0 && cursor < bytes.length; left -= 1) {
    const name = readSized(bytes)?.toString('utf8') ?? '';
    const value = readSized(bytes) ?? Buffer.alloc(0);
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(headers);
}

/** The place behind what was read last. One batch is worked on at a time, so one cell serves all. */
let cursor = 0;

/** A zigzag number of up to 53 bits, at the cursor. Most have one byte or two, and those need no more than whole numbers of 32 bits. */
function readVarint(bytes: Buffer): number {
  const first = bytes[cursor++] ?? 0;
  if (first <= 0x7f) return (first >>> 1) ^ -(first & 1);
  let byte = bytes[cursor++] ?? 0;
  const low = (first & 0x7f) | ((byte & 0x7f) << 7);
  if (byte <= 0x7f) return (low >>> 1) ^ -(low & 1);
  let value = low;
  for (let weight = 2 ** 14; byte > 0x7f; weight *= 128) {
    byte = bytes[cursor++] ?? 0;
    value += (byte & 0x7f) * weight;
  }
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

/** Length and bytes; −1 and nothing for what is not there. */
function readSized(bytes: Buffer): Buffer | null {
  const length = readVarint(bytes);
  if (length < 0) return null;
  const start = cursor;
  cursor += length;
  return bytes.subarray(start, cursor);
}
