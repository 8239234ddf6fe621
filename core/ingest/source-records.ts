import { undecodableSentence } from '../contracts/undecodable';
import { type RawRecord } from '../platform/kafka';
import { type SourceMessage } from './delivery';
import { INGEST_LIMITS } from './limits';

const NO_BYTES = new Uint8Array(0);

export function bytesOf(records: readonly RawRecord[]): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

/** Records in parts that are mapped in one go. */
export function* partsOf(records: readonly RawRecord[]): Iterable<readonly RawRecord[]> {
  let part: RawRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    if (part.length > 0 && bytes + bytesOf([record]) > INGEST_LIMITS.bytesAtOnce) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += bytesOf([record]);
  }
  if (part.length > 0) yield part;
}

export function* messagesOf(
  partition: number,
  records: readonly RawRecord[],
  topic: string,
): Iterable<SourceMessage> {
  for (const { value, offset, timestamp, undecodable } of records) {
    yield {
      bytes: value ?? NO_BYTES,
      topic,
      partition,
      offset: Number(offset),
      timestampMillis: Number(timestamp),
      ...(undecodable === undefined ? {} : { undecodable: undecodableSentence(Number(offset), undecodable) }),
    };
  }
}
