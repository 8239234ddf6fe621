import { HEADER_BYTES } from '../../core/platform/kafka/batch-format';
import { writeHeader, writeRecord } from '../../core/platform/kafka/record-batch';

/**
 * A record batch that grows record by record, written straight into one buffer. The client library makes objects of every record and manages
 * some 60,000 a second; filling a topic with 12 million would take longer than all runs over it.
 */
export class RecordBatchWriter {
  private readonly buffer: Buffer;
  private used = HEADER_BYTES;
  private records = 0;
  private firstTimestamp = 0;
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

  /**
   * @param key ASCII, as is the value.
   * @returns false when the record does not fit any more.
   */
  add(key: string, value: string, timestampMillis: number): boolean {
    if (this.used + MAX_RECORD_OVERHEAD + key.length + value.length > this.buffer.length) return false;
    if (this.records === 0) this.firstTimestamp = this.maxTimestamp = timestampMillis;
    const record = {
      key,
      keyBytes: key.length,
      value,
      valueBytes: value.length,
      headers: NO_HEADERS,
      timestampDelta: timestampMillis - this.firstTimestamp,
    };
    this.used = writeRecord(this.buffer, this.used, record, this.records);
    this.records += 1;
    if (timestampMillis > this.maxTimestamp) this.maxTimestamp = timestampMillis;
    return true;
  }

  /** The batch as bytes, valid until the next `add`; the writer starts a new one. */
  take(): Buffer {
    const { buffer, used, records, firstTimestamp, maxTimestamp } = this;
    writeHeader(buffer, 0, used, records, firstTimestamp, maxTimestamp);
    this.used = HEADER_BYTES;
    this.records = 0;
    return buffer.subarray(0, used);
  }
}

/** Lengths, deltas, attributes and the count of headers of one record, at most. */
const MAX_RECORD_OVERHEAD = 32;
const NO_HEADERS: readonly string[] = [];
