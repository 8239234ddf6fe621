import { crc32c } from '@node-rs/crc32';

/**
 * The body of a Produce request (versions 3 to 7) written straight into one buffer of the right size: the library copies what
 * is sent eight times over, through buffers that double and are zeroed each time, and sums its bytes one by one. Only what
 * this system sends is written here: record batches of format 2 without compression, transactions or producer ids.
 * Format: "Produce Request (Version: 7)" and "Record Batch" in Kafka's protocol documentation.
 */
export interface ProduceRequest {
  /** −1: all in-sync replicas. */
  readonly acks: number;
  /** Milliseconds that the broker may take. */
  readonly timeout: number;
  readonly topicData: readonly ProducedTopic[];
}

export interface ProducedTopic {
  readonly topic: string;
  readonly partitions: readonly {
    readonly partition: number;
    readonly messages: readonly ProducedMessage[];
  }[];
}

export interface ProducedMessage {
  readonly key?: Buffer | string | null | undefined;
  readonly value: Buffer | string | null;
  /** Milliseconds since 1970; left out: now. */
  readonly timestamp?: string | undefined;
  readonly headers?: Readonly<Record<string, HeaderValue | readonly HeaderValue[] | undefined>> | undefined;
}

type HeaderValue = Buffer | string;

export function encodeProduceRequest({ acks, timeout, topicData }: ProduceRequest, now: number): Buffer {
  const topics = topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, messages }) => measureBatch(partition, messages, now)),
  }));
  let size = FIXED_BYTES;
  for (const { topic, partitions } of topics) {
    size += STRING_HEAD + Buffer.byteLength(topic) + ARRAY_HEAD;
    for (const { bytes } of partitions) size += PARTITION_HEAD + bytes;
  }
  const writer = new Writer(size);
  // No transaction.
  writer.int16(-1);
  writer.int16(acks);
  writer.int32(timeout);
  writer.int32(topics.length);
  for (const { topic, partitions } of topics) {
    writer.int16(Buffer.byteLength(topic));
    writer.bytes(topic);
    writer.int32(partitions.length);
    for (const batch of partitions) writeBatch(writer, batch);
  }
  return writer.buffer;
}

/** Transaction id, acks, timeout and number of topics. */
const FIXED_BYTES = 2 + 2 + 4 + 4;
const STRING_HEAD = 2;
const ARRAY_HEAD = 4;
/** Partition and size of its records. */
const PARTITION_HEAD = 4 + 4;

/** A record batch's bytes up to its first record; its length counts from behind itself, its checksum from the attributes. */
const BATCH_HEAD = 61;
const LENGTH_COUNTS_FROM = 12;
const CHECKSUM = 17;
const CHECKSUM_COUNTS_FROM = 21;
const FORMAT = 2;
const NO_PRODUCER = -1;

interface MeasuredRecord {
  readonly message: ProducedMessage;
  readonly headers: readonly (readonly [name: string, value: HeaderValue])[];
  readonly timestampDelta: number;
  /** Of the record behind its own length. */
  readonly bytes: number;
}

interface MeasuredBatch {
  readonly partition: number;
  readonly records: readonly MeasuredRecord[];
  readonly firstTimestamp: number;
  readonly maxTimestamp: number;
  readonly bytes: number;
}

function measureBatch(partition: number, messages: readonly ProducedMessage[], now: number): MeasuredBatch {
  const timestamps = messages.map(({ timestamp }) => (timestamp === undefined ? now : Number(timestamp)));
  const firstTimestamp = timestamps.reduce((least, each) => Math.min(least, each), Infinity);
  const maxTimestamp = timestamps.reduce((most, each) => Math.max(most, each), -Infinity);
  let bytes = BATCH_HEAD;
  const records = messages.map((message, offsetDelta) => {
    const record = measureRecord(message, offsetDelta, (timestamps[offsetDelta] ?? now) - firstTimestamp);
    bytes += varintBytes(record.bytes) + record.bytes;
    return record;
  });
  return { partition, records, firstTimestamp, maxTimestamp, bytes };
}

function measureRecord(
  message: ProducedMessage,
  offsetDelta: number,
  timestampDelta: number,
): MeasuredRecord {
  const headers = headersOf(message);
  let bytes = ATTRIBUTES_BYTES + varintBytes(timestampDelta) + varintBytes(offsetDelta);
  bytes += sizedBytes(message.key ?? null) + sizedBytes(message.value) + varintBytes(headers.length);
  for (const [name, value] of headers) bytes += sizedBytes(name) + sizedBytes(value);
  return { message, headers, timestampDelta, bytes };
}

const ATTRIBUTES_BYTES = 1;

function headersOf({ headers }: ProducedMessage): MeasuredRecord['headers'] {
  if (headers === undefined) return NO_HEADERS;
  return Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return (isList(value) ? value : [value]).map((each) => [name, each] as const);
  });
}

const NO_HEADERS: MeasuredRecord['headers'] = [];

function isList(value: HeaderValue | readonly HeaderValue[]): value is readonly HeaderValue[] {
  return Array.isArray(value);
}

function writeBatch(
  writer: Writer,
  { partition, records, firstTimestamp, maxTimestamp, bytes }: MeasuredBatch,
): void {
  writer.int32(partition);
  writer.int32(bytes);
  const start = writer.at;
  // The broker gives the offsets.
  writer.int64(0);
  writer.int32(bytes - LENGTH_COUNTS_FROM);
  // Leader epoch: not known to clients.
  writer.int32(-1);
  writer.int8(FORMAT);
  // Behind everything that it covers.
  writer.int32(0);
  writer.int16(0);
  writer.int32(records.length - 1);
  writer.int64(firstTimestamp);
  writer.int64(maxTimestamp);
  writer.int64(NO_PRODUCER);
  writer.int16(NO_PRODUCER);
  writer.int32(NO_PRODUCER);
  writer.int32(records.length);
  records.forEach((record, offsetDelta) => {
    writeRecord(writer, record, offsetDelta);
  });
  const covered = writer.buffer.subarray(start + CHECKSUM_COUNTS_FROM, start + bytes);
  writer.buffer.writeUInt32BE(crc32c(covered), start + CHECKSUM);
}

function writeRecord(
  writer: Writer,
  { message, headers, timestampDelta, bytes }: MeasuredRecord,
  offsetDelta: number,
): void {
  writer.varint(bytes);
  // One byte of attributes, which nobody uses.
  writer.int8(0);
  writer.varint(timestampDelta);
  writer.varint(offsetDelta);
  writer.sized(message.key ?? null);
  writer.sized(message.value);
  writer.varint(headers.length);
  for (const [name, value] of headers) {
    writer.sized(name);
    writer.sized(value);
  }
}

/** One after the other, into a buffer that was measured beforehand. */
class Writer {
  readonly buffer: Buffer;
  at = 0;

  constructor(size: number) {
    this.buffer = Buffer.allocUnsafeSlow(size);
  }

  int8(value: number): void {
    this.at = this.buffer.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.buffer.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.buffer.writeInt32BE(value, this.at);
  }

  int64(value: number): void {
    this.at = this.buffer.writeBigInt64BE(BigInt(value), this.at);
  }

  /** Zigzag, for numbers of up to 52 bits. */
  varint(value: number): void {
    let rest = zigzag(value);
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.buffer[this.at++] = (rest % 128) + 128;
    this.buffer[this.at++] = rest;
  }

  bytes(value: Buffer | string): void {
    this.at +=
      typeof value === 'string' ? this.buffer.write(value, this.at) : value.copy(this.buffer, this.at);
  }

  /** Length and bytes; −1 for none at all. */
  sized(value: Buffer | string | null): void {
    this.varint(value === null ? -1 : Buffer.byteLength(value));
    if (value !== null) this.bytes(value);
  }
}

function sizedBytes(value: Buffer | string | null): number {
  if (value === null) return varintBytes(-1);
  const length = Buffer.byteLength(value);
  return varintBytes(length) + length;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = zigzag(value); rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}
