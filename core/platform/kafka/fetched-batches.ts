import { crc32c } from '@node-rs/crc32';
import { BATCH_LIMITS, type BatchFault, type Undecodable } from '../../contracts/undecodable';
import {
  ATTRIBUTES,
  CHECKSUM,
  COMPRESSION,
  CONTROL,
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
  STAMPED_BY_BROKER,
  TRANSACTIONAL,
} from './batch-format';
import { decompressorOf, TooLarge } from './codecs';
import { type FetchedRecord, isAbortMarker, readRecords } from './fetched-records';
import { type RawRecord } from './types';

/** What a fetched partition is read into. */
export type FetchedEntry = FetchedRecord | UndecodableBatch | PassedOffset;

/** A batch that cannot be read, in the place of its first record; the value is its bytes. */
export class UndecodableBatch implements RawRecord {
  readonly key = null;
  /** Its own may be damaged. */
  readonly timestamp = NaN;

  constructor(
    readonly value: Buffer,
    readonly offset: number,
    readonly undecodable: Undecodable,
  ) {}
}

/** The last offset of what was fetched, where no record is to be read: that of a marker, or of an aborted or compacted record. */
export class PassedOffset {
  readonly key = null;
  readonly value = null;
  readonly timestamp = NaN;

  constructor(readonly offset: number) {}
}

/** A transaction that was aborted: its records are no events. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

/** What a response says of a partition beside its batches. */
export interface FetchedFrom {
  /** Offset that was asked for. The first batch may begin before it. */
  readonly wanted: number;
  /** Offset behind the partition's last record, when the broker began to answer: there may be newer ones in the answer. */
  readonly highWatermark: number;
  /** In the order of their offsets. */
  readonly aborted: readonly AbortedTransaction[];
}

/**
 * How much one response may still decompress. When it is used up, the rest of each partition is left to the next fetch; the first batch of
 * a partition is always read, so that each goes on.
 */
export interface Budget {
  bytes: number;
  records: number;
}

export function freshBudget(): Budget {
  return { ...BATCH_LIMITS };
}

/**
 * Read the batches between two places of a response, as a consumer that reads what is committed.
 * @returns records and batches that cannot be read, in the order of their offsets. Where the last offset holds neither, as behind a marker or
 *   an aborted transaction, a `PassedOffset` ends the list. The list is empty, or ends at the wanted offset or behind it: of one that ends
 *   before it the library thinks that the wanted record was compacted away, and passes it over. Nothing in a batch makes it throw.
 */
export function readBatches(
  bytes: Buffer,
  start: number,
  end: number,
  from: FetchedFrom,
  budget: Budget = freshBudget(),
): FetchedEntry[] {
  return new PartitionReader(bytes, end, from, budget).read(start);
}

/** Smallest length that a message of a format before 2 has: checksum, format, attributes, and the lengths of key and value. */
const MIN_OLD_LENGTH = 14;

class PartitionReader {
  private readonly entries: FetchedEntry[] = [];
  private readonly aborted: AbortedTransaction[];
  /** Producers whose records are part of an aborted transaction, from here on. */
  private readonly aborting = new Set<bigint>();
  /** Offset behind the batches that were read. */
  private next = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly end: number,
    private readonly from: FetchedFrom,
    private readonly budget: Budget,
  ) {
    this.aborted = [...from.aborted];
  }

  read(start: number): FetchedEntry[] {
    const { bytes, end, entries } = this;
    for (let at = start; at + MAGIC < end;) {
      const length = bytes.readInt32BE(at + LENGTH);
      const behind = at + LEADER_EPOCH + length;
      const baseOffset = readInt64(bytes, at);
      const isNew = (bytes[at + MAGIC] ?? 0) >= FORMAT;
      const minLength = isNew ? HEADER_BYTES - LEADER_EPOCH : MIN_OLD_LENGTH;
      if (length < minLength || baseOffset < this.next || this.isAhead(baseOffset)) {
        // What was read is handed out first: the next answer has a fresh high watermark.
        if (at === start || !this.isAhead(baseOffset)) this.passOverRest(at);
        break;
      }
      // The last batch may be cut off: the broker counts bytes, not batches.
      if (behind > end) break;
      if (at > start && (this.budget.bytes <= 0 || this.budget.records <= 0)) break;
      this.readBatch(at, behind, baseOffset);
      at = behind;
    }
    const last = this.next - 1;
    if (last < this.from.wanted) return this.beforeWanted();
    if (last >= 0 && (entries.at(-1)?.offset ?? -1) < last) entries.push(new PassedOffset(last));
    return entries;
  }

  /**
   * Whether a batch has offsets that the partition does not have yet. Batches that were written while the broker answered follow those before
   * them without a gap; another offset is damaged: no checksum covers it.
   */
  private isAhead(baseOffset: number): boolean {
    const { wanted, highWatermark } = this.from;
    return baseOffset >= highWatermark && baseOffset > Math.max(this.next, wanted);
  }

  /** Nothing was read up to the wanted record. A damaged batch before it may be the one that has it: then that record is given up. */
  private beforeWanted(): FetchedEntry[] {
    const { wanted } = this.from;
    const damaged = this.entries.find((entry) => entry instanceof UndecodableBatch);
    if (damaged === undefined) return [];
    return [new UndecodableBatch(damaged.value, wanted, { ...damaged.undecodable, lastOffset: wanted })];
  }

  private readBatch(at: number, end: number, baseOffset: number): void {
    const { bytes } = this;
    const isOld = (bytes[at + MAGIC] ?? 0) < FORMAT;
    const lastOffset = isOld ? baseOffset : baseOffset + bytes.readInt32BE(at + LAST_OFFSET_DELTA);
    const fault =
      this.faultOf(at, end, baseOffset, lastOffset) ?? this.readIntact(at, end, baseOffset, lastOffset);
    if (fault === undefined) this.next = lastOffset + 1;
    else this.passOver(fault, at, end, baseOffset, lastOffset);
  }

  private faultOf(at: number, end: number, baseOffset: number, lastOffset: number): BatchFault | undefined {
    const { bytes } = this;
    const magic = bytes[at + MAGIC] ?? 0;
    if (magic !== FORMAT) return magic < FORMAT ? 'old-format' : 'unknown-format';
    const isWhole = lastOffset - baseOffset + 1 === bytes.readInt32BE(at + RECORD_COUNT);
    if (lastOffset < baseOffset || (lastOffset >= this.from.highWatermark && !isWhole)) return 'corrupt';
    return crc32c(bytes.subarray(at + ATTRIBUTES, end)) === bytes.readUInt32BE(at + CHECKSUM)
      ? undefined
      : 'corrupt';
  }

  /** Read a batch whose bytes are as they were sent. */
  private readIntact(
    at: number,
    end: number,
    baseOffset: number,
    lastOffset: number,
  ): BatchFault | undefined {
    const attributes = this.bytes.readInt16BE(at + ATTRIBUTES);
    if ((attributes & (TRANSACTIONAL | CONTROL)) !== 0 && this.isNoEvent(at, attributes, lastOffset))
      return undefined;
    return this.readEvents(at, end, attributes, baseOffset, lastOffset);
  }

  /** Whether a batch of a transaction is a marker, or was aborted. */
  private isNoEvent(at: number, attributes: number, lastOffset: number): boolean {
    const producerId = this.bytes.readBigInt64BE(at + PRODUCER);
    while ((this.aborted[0]?.firstOffset ?? Infinity) <= lastOffset) {
      const transaction = this.aborted.shift();
      if (transaction !== undefined) this.aborting.add(transaction.producerId);
    }
    if ((attributes & CONTROL) === 0) return this.aborting.has(producerId);
    if (isAbortMarker(this.bytes, at + HEADER_BYTES)) this.aborting.delete(producerId);
    return true;
  }

  /** @returns why the batch cannot be read; then nothing of it is in `entries`. */
  private readEvents(
    at: number,
    end: number,
    attributes: number,
    baseOffset: number,
    lastOffset: number,
  ): BatchFault | undefined {
    const { bytes, entries, budget } = this;
    const count = bytes.readInt32BE(at + RECORD_COUNT);
    const codec = attributes & COMPRESSION;
    const isStampedByBroker = (attributes & STAMPED_BY_BROKER) !== 0;
    const timestamp = readInt64(bytes, at + (isStampedByBroker ? MAX_TIMESTAMP : FIRST_TIMESTAMP));
    let records = bytes;
    let place = at + HEADER_BYTES;
    let limit = end;
    if (codec !== 0) {
      if (count > BATCH_LIMITS.records) return 'too-large';
      const decompressed = decompressRecords(codec, bytes.subarray(place, end));
      if (typeof decompressed === 'string') return decompressed;
      records = decompressed;
      place = 0;
      limit = records.length;
      budget.bytes -= records.length;
      budget.records -= count;
    }
    const before = entries.length;
    const batch = { response: records, timestamp, isStampedByBroker };
    if (readRecords(batch, place, limit, { count, baseOffset, lastOffset }, entries)) return undefined;
    entries.length = before;
    return 'corrupt';
  }

  /**
   * The head of a batch makes no sense, so where the next one begins is not known: the broker has to say so. One offset is given up, and
   * the next fetch begins behind it.
   */
  private passOverRest(at: number): void {
    const offset = Math.max(this.next, this.from.wanted);
    if (offset >= this.from.highWatermark) return;
    this.next = offset + 1;
    const about: Undecodable = { fault: 'corrupt', lastOffset: offset };
    this.entries.push(
      new UndecodableBatch(this.bytes.subarray(at, Math.min(this.end, at + HEADER_BYTES)), offset, about),
    );
  }

  /**
   * The batch becomes one entry. The offset of its last record is only believed within bounds: the bytes that give it may be damaged.
   */
  private passOver(fault: BatchFault, at: number, end: number, baseOffset: number, lastOffset: number): void {
    const { bytes } = this;
    const ahead = end + LENGTH <= this.end ? readInt64(bytes, end) : Infinity;
    const bound = Math.min(this.from.highWatermark, ahead > baseOffset ? ahead : Infinity) - 1;
    const last = Math.max(baseOffset, Math.min(lastOffset, bound));
    this.next = last + 1;
    const about: Undecodable = { fault, lastOffset: last };
    this.entries.push(new UndecodableBatch(bytes.subarray(at, end), baseOffset, about));
  }
}

function decompressRecords(codec: number, bytes: Buffer): Buffer | BatchFault {
  const decompress = decompressorOf(codec);
  if (decompress === undefined) return 'unknown-codec';
  try {
    return decompress(bytes);
  } catch (cause) {
    return cause instanceof TooLarge ? 'too-large' : 'broken-compression';
  }
}

function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}
