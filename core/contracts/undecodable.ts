/**
 * Why a batch of Kafka's log cannot be read, and what to do about it. Such a batch becomes one reject (`malformed`, detail
 * `undecodable-batch`): it counts as one event, at its base offset, and the rest of its offsets are passed over. A record that is `oversized`
 * stands alone, in a topic of Fedloop's own.
 */
export const BATCH_FAULTS = {
  'old-format':
    'it has a message format from before Kafka 0.11, so update its producer, or let the topic be written anew',
  'unknown-format':
    'its message format is newer than this release knows, so update Fedloop or use an older producer',
  'unknown-codec': 'its codec is unknown, so let its producer use gzip, snappy, lz4, zstd or none',
  'broken-compression': 'its records cannot be decompressed, so look for a producer with a faulty codec',
  'too-large': 'it decompresses to more than one batch may have, so let its producer send smaller batches',
  oversized:
    'it has more bytes than any record that Fedloop writes, so look who else may write to this topic',
  corrupt: 'its bytes are damaged, so look at the disks of the brokers and send its events again',
} as const;

export type BatchFault = keyof typeof BATCH_FAULTS;

/** Detail of the reject that such a batch becomes. */
export const UNDECODABLE_BATCH = 'undecodable-batch';

/**
 * Bounds on one batch after decompression. A batch that exceeds one is `too-large`: a few hundred kilobytes can be made to decompress to
 * gigabytes. They decide which rows there are, so changing one makes a replay of such a batch disagree with what was stored.
 */
export const BATCH_LIMITS = {
  /** A default broker takes batches of 1 MB, and JSON compresses ten to thirty times. */
  bytes: 64 * 1024 * 1024,
  /** The smallest event of 60 bytes, as often as it fits in. */
  records: 1_048_576,
} as const;

/** A batch that could not be read. */
export interface Undecodable {
  readonly fault: BatchFault;
  /** Source offset of its last record; the reject has that of the first. */
  readonly lastOffset: number;
}

/** One sentence for the log and the reject. */
export function undecodableSentence(offset: number, { fault, lastOffset }: Undecodable): string {
  const what =
    fault === 'oversized' ? `record at offset ${offset}` : `batch at offsets ${offset} to ${lastOffset}`;
  return `the ${what} cannot be read: ${BATCH_FAULTS[fault]}`;
}
