import { crc32c } from '@node-rs/crc32';
import {
  ATTRIBUTES,
  CHECKSUM,
  FIRST_TIMESTAMP,
  FORMAT,
  HEADER_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  LENGTH,
  MAGIC,
  MAX_TIMESTAMP,
  PRODUCER,
  RECORD_COUNT,
} from './batch-format';

/**
 * Kafka's record batch written in place, for produce requests and benchmarks: without compression and transactions. fetched-batches.ts reads
 * them.
 */

type Bytes = Buffer | string;

/** A record to be written. */
export interface OutgoingRecord {
  readonly key?: Bytes | null | undefined;
  readonly value: Bytes | null;
  /** Milliseconds since 1970, as a number or its digits; left out: now. */
  readonly timestamp?: string | number | undefined;
  readonly headers?: Readonly<Record<string, Bytes | readonly Bytes[] | undefined>> | undefined;
}

/** A record as it is written: its parts, and how many bytes they have; −1 for one that is not there. */
export interface SizedRecord {
  readonly key: Bytes | null;
  readonly keyBytes: number;
  readonly value: Bytes | null;
  readonly valueBytes: number;
  /** Names and values in turn. */
  readonly headers: readonly Bytes[];
  /** Milliseconds from the batch's first timestamp. */
  readonly timestampDelta: number;
}

/** A batch to be written, whose size is known, so that the buffer that it goes into is made once. */
export class RecordBatch {
  private readonly records: readonly SizedRecord[];
  private readonly firstTimestamp: number;
  private readonly maxTimestamp: number;
  readonly bytes: number;

  /** @param now milliseconds since 1970, for records without a timestamp. */
  constructor(records: readonly OutgoingRecord[], now: number) {
    const timestamps = records.map(({ timestamp }) => (timestamp === undefined ? now : Number(timestamp)));
    const first = timestamps.reduce((min, each) => Math.min(min, each), Infinity);
    this.records = records.map((record, at) => sizedRecord(record, (timestamps[at] ?? now) - first));
    this.firstTimestamp = first;
    this.maxTimestamp = timestamps.reduce((max, each) => Math.max(max, each), -Infinity);
    this.bytes = this.records.reduce((sum, one, at) => sum + sizedBytes(bodyBytes(one, at)), HEADER_BYTES);
  }

  writeTo(out: Buffer, start: number): void {
    let at = start + HEADER_BYTES;
    this.records.forEach((record, offsetDelta) => {
      at = writeRecord(out, at, record, offsetDelta);
    });
    writeHeader(out, start, at, this.records.length, this.firstTimestamp, this.maxTimestamp);
  }
}

function sizedRecord(
  { key = null, value, headers: all }: OutgoingRecord,
  timestampDelta: number,
): SizedRecord {
  const headers = all === undefined ? [] : headersOf(all);
  return { key, keyBytes: lengthOf(key), value, valueBytes: lengthOf(value), headers, timestampDelta };
}

function headersOf(all: NonNullable<OutgoingRecord['headers']>): readonly Bytes[] {
  return Object.entries(all).flatMap(([name, values = []]) => [values].flat().flatMap((one) => [name, one]));
}

/** Of a record without its own length: one byte of attributes, which are not used yet, deltas and parts. */
function bodyBytes(record: SizedRecord, offsetDelta: number): number {
  const { keyBytes, valueBytes, headers, timestampDelta } = record;
  let bytes = 1 + varintBytes(timestampDelta) + varintBytes(offsetDelta);
  bytes += sizedBytes(keyBytes) + sizedBytes(valueBytes) + varintBytes(headers.length / 2);
  for (const part of headers) bytes += sizedBytes(lengthOf(part));
  return bytes;
}

/** @returns the place behind the record; `offsetDelta` counts from the first record of the batch. */
export function writeRecord(out: Buffer, start: number, record: SizedRecord, offsetDelta: number): number {
  cursor = start;
  writeVarint(out, bodyBytes(record, offsetDelta));
  out[cursor++] = 0;
  writeVarint(out, record.timestampDelta);
  writeVarint(out, offsetDelta);
  writeSized(out, record.key, record.keyBytes);
  writeSized(out, record.value, record.valueBytes);
  writeVarint(out, record.headers.length / 2);
  for (const part of record.headers) writeSized(out, part, lengthOf(part));
  return cursor;
}

/** Write the header of a batch whose records lie behind it already; timestamps are milliseconds since 1970. */
export function writeHeader(
  out: Buffer,
  start: number,
  end: number,
  records: number,
  firstTimestamp: number,
  maxTimestamp: number,
): void {
  // The broker gives the offsets and knows the leader's epoch.
  out.writeBigInt64BE(0n, start);
  out.writeInt32BE(end - start - LEADER_EPOCH, start + LENGTH);
  out.writeInt32BE(-1, start + LEADER_EPOCH);
  out[start + MAGIC] = FORMAT;
  out.writeInt16BE(0, start + ATTRIBUTES);
  out.writeInt32BE(records - 1, start + LAST_OFFSET_DELTA);
  out.writeBigInt64BE(BigInt(firstTimestamp), start + FIRST_TIMESTAMP);
  out.writeBigInt64BE(BigInt(maxTimestamp), start + MAX_TIMESTAMP);
  // No producer id, epoch or sequence: not idempotent.
  out.fill(0xff, start + PRODUCER, start + RECORD_COUNT);
  out.writeInt32BE(records, start + RECORD_COUNT);
  out.writeUInt32BE(crc32c(out.subarray(start + ATTRIBUTES, end)), start + CHECKSUM);
}

/** The place behind what was written last. One batch is worked on at a time, so one cell serves all. */
let cursor = 0;

/** A zigzag number of up to 52 bits, at the cursor. */
function writeVarint(out: Buffer, value: number): void {
  let rest = zigzag(value);
  for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) out[cursor++] = (rest % 128) + 128;
  for (; rest > 0x7f; rest >>>= 7) out[cursor++] = (rest & 0x7f) | 0x80;
  out[cursor++] = rest;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest > 0x7f; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function writeSized(out: Buffer, value: Bytes | null, length: number): void {
  writeVarint(out, length);
  if (value === null) return;
  // A text of as many bytes as characters is ASCII, and copied as it is.
  if (typeof value === 'string') out.write(value, cursor, length === value.length ? 'latin1' : 'utf8');
  else value.copy(out, cursor);
  cursor += length;
}

function sizedBytes(length: number): number {
  return varintBytes(length) + Math.max(0, length);
}

/** −1: there is nothing. */
function lengthOf(value: Bytes | null): number {
  return value === null ? -1 : typeof value === 'string' ? Buffer.byteLength(value) : value.length;
}
