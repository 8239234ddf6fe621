import { crc32c } from '@node-rs/crc32';

/**
 * Kafka's record batch, format 2, uncompressed: written straight into one buffer. The client library makes objects of
 * every record and manages some 60,000 a second; filling a topic with 12 million would take longer than all runs over it.
 * Format: the "Record Batch" section of Kafka's protocol documentation.
 */
export class RecordBatchWriter {
  private readonly buffer: Buffer;
  private used = HEADER_BYTES;
  private records = 0;
  private baseTimestamp = 0;
  private maxTimestamp = 0;

  constructor(capacity: number) {
    this.buffer = Buffer.allocUnsafeSlow(capacity);
  }

  get count(): number {
    return this.records;
  }

  get size(): number {
    return this.used;
  }

  /** @returns false when the record does not fit any more. */
  add(key: string, value: string, timestampMillis: number): boolean {
    if (this.used + MAX_RECORD_OVERHEAD + key.length + value.length > this.buffer.length) return false;
    if (this.records === 0) this.baseTimestamp = this.maxTimestamp = timestampMillis;
    const delta = timestampMillis - this.baseTimestamp;
    const body =
      1 +
      varintLength(delta) +
      varintLength(this.records) +
      varintLength(key.length) +
      key.length +
      varintLength(value.length) +
      value.length +
      1;
    this.varint(body);
    this.buffer[this.used++] = 0;
    this.varint(delta);
    this.varint(this.records);
    this.text(key);
    this.text(value);
    // No headers.
    this.varint(0);
    this.records += 1;
    if (timestampMillis > this.maxTimestamp) this.maxTimestamp = timestampMillis;
    return true;
  }

  /** The batch as bytes, valid until the next `add`; the writer starts a new one. */
  take(): Buffer {
    const { buffer, used, records } = this;
    buffer.writeBigInt64BE(0n, 0);
    buffer.writeInt32BE(used - LENGTH_COUNTS_FROM, 8);
    buffer.writeInt32BE(-1, 12);
    buffer[16] = 2;
    buffer.writeInt16BE(0, CHECKSUM_COUNTS_FROM);
    buffer.writeInt32BE(records - 1, 23);
    buffer.writeBigInt64BE(BigInt(this.baseTimestamp), 27);
    buffer.writeBigInt64BE(BigInt(this.maxTimestamp), 35);
    // No producer id, epoch or sequence: not idempotent.
    buffer.writeBigInt64BE(-1n, 43);
    buffer.writeInt16BE(-1, 51);
    buffer.writeInt32BE(-1, 53);
    buffer.writeInt32BE(records, 57);
    buffer.writeUInt32BE(crc32c(buffer.subarray(CHECKSUM_COUNTS_FROM, used)), 17);
    this.used = HEADER_BYTES;
    this.records = 0;
    return buffer.subarray(0, used);
  }

  /** ASCII with its length before it. */
  private text(text: string): void {
    this.varint(text.length);
    this.used += this.buffer.write(text, this.used, 'latin1');
  }

  /** A signed number of at most 31 bits in zigzag. */
  private varint(value: number): void {
    let left = zigzag(value);
    while (left > 0x7f) {
      this.buffer[this.used++] = (left & 0x7f) | 0x80;
      left >>>= 7;
    }
    this.buffer[this.used++] = left;
  }
}

const HEADER_BYTES = 61;
const LENGTH_COUNTS_FROM = 12;
const CHECKSUM_COUNTS_FROM = 21;
/** Lengths, deltas, attributes and the count of headers of one record, at most. */
const MAX_RECORD_OVERHEAD = 32;

function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

function varintLength(value: number): number {
  const bits = 32 - Math.clz32(zigzag(value));
  return Math.max(1, Math.ceil(bits / 7));
}
