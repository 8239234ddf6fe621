import { crc32c } from '@node-rs/crc32';
import { type RawRecord } from './types';

/**
 * Kafka's record batch, format 2, read and written in place, for fetch responses, produce requests and benchmarks. It knows batches without
 * compression, transactions or control records: what this system writes, and what nearly every topic holds.
 * Format: "Record Batch" in Kafka's protocol documentation.
 */

/** Where the fields of the header begin. The length counts from the leader's epoch on, the checksum from the attributes on. */
const LENGTH = 8;
const LEADER_EPOCH = 12;
const MAGIC = 16;
const CHECKSUM = 17;
const ATTRIBUTES = 21;
const LAST_OFFSET_DELTA = 23;
const FIRST_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
/** Its id, its epoch and the batch's number: 14 bytes. */
const PRODUCER = 43;
const RECORD_COUNT = 57;
export const HEADER_BYTES = 61;

const FORMAT = 2;
/** Bits of the attributes. */
const COMPRESSION = 0x07;
const STAMPED_BY_BROKER = 0x08;
const TRANSACTIONAL_OR_CONTROL = 0x30;

/** What the records of one fetched batch have in common. */
interface BatchPlace {
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
}

/** @returns the records of all batches between two places of a response; undefined when one is of a kind that is not known here. */
export function readBatches(bytes: Buffer, start: number, end: number): FetchedRecord[] | undefined {
  const records: FetchedRecord[] = [];
  let at = start;
  // The last batch may be cut off: the broker counts bytes, not batches.
  while (at + HEADER_BYTES <= end) {
    const next = at + LEADER_EPOCH + bytes.readInt32BE(at + LENGTH);
    if (next > end) break;
    const attributes = bytes.readInt16BE(at + ATTRIBUTES);
    if (bytes[at + MAGIC] !== FORMAT || (attributes & (COMPRESSION | TRANSACTIONAL_OR_CONTROL)) !== 0)
      return undefined;
    readBatch(bytes, at, (attributes & STAMPED_BY_BROKER) !== 0, records);
    at = next;
  }
  return records;
}

function readBatch(bytes: Buffer, start: number, isStampedByBroker: boolean, out: FetchedRecord[]): void {
  const baseOffset = readInt64(bytes, start);
  const timestamp = readInt64(bytes, start + (isStampedByBroker ? MAX_TIMESTAMP : FIRST_TIMESTAMP));
  const batch: BatchPlace = { response: bytes, timestamp, isStampedByBroker };
  cursor = start + HEADER_BYTES;
  for (let left = bytes.readInt32BE(start + RECORD_COUNT); left > 0; left -= 1) {
    const length = readVarint(bytes);
    const end = cursor + length;
    // Attributes.
    cursor += 1;
    const timestampDelta = readVarint(bytes);
    const offset = baseOffset + readVarint(bytes);
    const keyAt = cursor;
    const keyLength = readVarint(bytes);
    if (keyLength > 0) cursor += keyLength;
    const valueLength = readVarint(bytes);
    out.push(new FetchedRecord(batch, offset, timestampDelta, keyAt, cursor, valueLength));
    cursor = end;
  }
}

function readHeaders(bytes: Buffer, start: number): NonNullable<RawRecord['headers']> {
  const headers = new Map<string, Buffer | (Buffer | string)[]>();
  cursor = start;
  for (let left = readVarint(bytes); left > 0; left -= 1) {
    const name = readSized(bytes)?.toString('utf8') ?? '';
    const value = readSized(bytes) ?? Buffer.alloc(0);
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(headers);
}

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

/** The place behind what was read or written last. One batch is worked on at a time, so one cell serves all. */
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

/** Length and bytes; −1 and nothing for what is not there. */
function readSized(bytes: Buffer): Buffer | null {
  const length = readVarint(bytes);
  if (length < 0) return null;
  const start = cursor;
  cursor += length;
  return bytes.subarray(start, cursor);
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

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
