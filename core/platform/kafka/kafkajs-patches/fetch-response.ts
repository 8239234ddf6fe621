import { type RawRecord } from '../types';

/**
 * A Fetch response (version 11) read straight into light records, for the hot path: the library makes two decoders, four
 * buffers, some big integers and two strings of every record, which costs twice what all of our own work on an event does.
 * Only what nearly every topic holds is read here: record batches of format 2 without compression, transactions or control
 * records. For anything else `decodeFetchResponse` returns undefined, and the library reads the response itself.
 * Format: "Fetch Response (Version: 11)" and "Record Batch" in Kafka's protocol documentation.
 */
export interface FetchResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly FetchedTopic[];
}

export interface FetchedTopic {
  readonly topicName: string;
  readonly partitions: readonly FetchedPartition[];
}

export interface FetchedPartition {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly lastStartOffset: string;
  readonly abortedTransactions: readonly never[];
  readonly preferredReadReplica: number;
  readonly messages: readonly FetchedRecord[];
}

/** What the records of one batch have in common. */
interface BatchPlace {
  readonly response: Buffer;
  /** Milliseconds since 1970 that the records count from; where the broker stamped them, all have it. */
  readonly timestamp: number;
  readonly isStampedByBroker: boolean;
}

/**
 * One record, as a place in the response: key, value and headers are views, made when asked for. Small whole numbers only, so that a record is
 * one light object: there is one for each event. None is a control record: batches with such are the library's to read.
 */
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
    return readVarBytes(this.response);
  }

  get value(): Buffer | null {
    return this.valueLength < 0
      ? null
      : this.response.subarray(this.valueStart, this.valueStart + this.valueLength);
  }

  get headers(): NonNullable<RawRecord['headers']> {
    return readHeaders(this.response, this.valueStart + Math.max(0, this.valueLength));
  }
}

/** @returns undefined when the response holds anything that only the library reads. */
export function decodeFetchResponse(response: Buffer): FetchResponse | undefined {
  const reader = new Reader(response);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const responses: FetchedTopic[] = [];
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const topicName = reader.string();
    const partitions: FetchedPartition[] = [];
    for (let count = reader.int32(); count > 0; count -= 1) {
      const partition = readPartition(reader);
      if (partition === undefined) return undefined;
      partitions.push(partition);
    }
    responses.push({ topicName, partitions });
  }
  // The broker has throttled already; a throttle time here would make the library do so once more.
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

function readPartition(reader: Reader): FetchedPartition | undefined {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = String(reader.int64());
  const lastStableOffset = String(reader.int64());
  const lastStartOffset = String(reader.int64());
  if (reader.int32() > 0) return undefined;
  const preferredReadReplica = reader.int32();
  const messages = readBatches(reader.response, reader.at + 4, reader.int32());
  if (messages === undefined) return undefined;
  reader.skip(messages.bytes);
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    lastStartOffset,
    abortedTransactions: [],
    preferredReadReplica,
    messages: messages.records,
  };
}

/** Places in a record batch, and what its attributes say. */
const BATCH_LENGTH = 8;
const BATCH_LENGTH_COUNTS_FROM = 12;
const MAGIC = 16;
const ATTRIBUTES = 21;
const FIRST_TIMESTAMP = 27;
const MAX_TIMESTAMP = 35;
const RECORD_COUNT = 57;
const FIRST_RECORD = 61;
const FORMAT = 2;
const COMPRESSION = 0x07;
const STAMPED_BY_BROKER = 0x08;
const TRANSACTIONAL_OR_CONTROL = 0x30;

function readBatches(
  bytes: Buffer,
  start: number,
  size: number,
): { readonly bytes: number; readonly records: FetchedRecord[] } | undefined {
  const length = Math.max(0, size);
  const end = start + length;
  const records: FetchedRecord[] = [];
  let at = start;
  // The last batch may be cut off: the broker counts bytes, not batches.
  while (at + FIRST_RECORD <= end) {
    const next = at + BATCH_LENGTH_COUNTS_FROM + bytes.readInt32BE(at + BATCH_LENGTH);
    if (next > end) break;
    const attributes = bytes.readInt16BE(at + ATTRIBUTES);
    if (bytes[at + MAGIC] !== FORMAT || (attributes & (COMPRESSION | TRANSACTIONAL_OR_CONTROL)) !== 0)
      return undefined;
    readBatch(bytes, at, (attributes & STAMPED_BY_BROKER) !== 0, records);
    at = next;
  }
  return { bytes: length, records: filteredAtTheStart(records, LIBRARY_FILTERS) };
}

function readBatch(bytes: Buffer, start: number, stampedByBroker: boolean, out: FetchedRecord[]): void {
  const baseOffset = int64(bytes, start);
  const batch: BatchPlace = {
    response: bytes,
    timestamp: int64(bytes, start + (stampedByBroker ? MAX_TIMESTAMP : FIRST_TIMESTAMP)),
    isStampedByBroker: stampedByBroker,
  };
  cursor = start + FIRST_RECORD;
  for (let left = bytes.readInt32BE(start + RECORD_COUNT); left > 0; left -= 1) {
    const length = readVarint(bytes);
    const end = cursor + length;
    // One byte of attributes, which nobody uses.
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

/** What the library filters a fetched batch by: records before the wanted offset, then control records. */
const LIBRARY_FILTERS = 2;

/**
 * The library asks each record, and makes a big integer each time it asks for the offset. Offsets rise and none is a control
 * record, so whoever passes a filter is followed by such as pass it too: it is enough to ask from the start until one does.
 * After `times` filters the result is an array like any other.
 */
function filteredAtTheStart(records: FetchedRecord[], times: number): FetchedRecord[] {
  if (times === 0) return records;
  Object.defineProperty(records, 'filter', {
    value: (passes: (record: FetchedRecord) => boolean) => {
      const first = records.findIndex((record) => passes(record));
      return filteredAtTheStart(first < 0 ? [] : records.slice(first), times - 1);
    },
  });
  return records;
}

function readHeaders(bytes: Buffer, start: number): NonNullable<RawRecord['headers']> {
  const headers = new Map<string, Buffer | (Buffer | string)[]>();
  cursor = start;
  for (let left = readVarint(bytes); left > 0; left -= 1) {
    const name = readVarBytes(bytes)?.toString('utf8') ?? '';
    const value = readVarBytes(bytes) ?? Buffer.alloc(0);
    const before = headers.get(name);
    if (before === undefined) headers.set(name, value);
    else headers.set(name, Array.isArray(before) ? [...before, value] : [before, value]);
  }
  return Object.fromEntries(headers);
}

/** Position behind what was read last. One response is read at a time, so one cell serves all. */
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

function readVarBytes(bytes: Buffer): Buffer | null {
  const length = readVarint(bytes);
  if (length < 0) return null;
  const start = cursor;
  cursor += length;
  return bytes.subarray(start, cursor);
}

function int64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

/** Fixed-width numbers and strings, one after the other. */
class Reader {
  at = 0;

  constructor(readonly response: Buffer) {}

  int16(): number {
    this.at += 2;
    return this.response.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.response.readInt32BE(this.at - 4);
  }

  int64(): number {
    this.at += 8;
    return int64(this.response, this.at - 8);
  }

  string(): string {
    const length = this.int16();
    this.at += length;
    return this.response.toString('utf8', this.at - length, this.at);
  }

  skip(bytes: number): void {
    this.at += bytes;
  }
}
