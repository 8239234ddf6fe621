import { PassedOffset, UndecodableBatch } from './fetched-batches';
import { type IncomingRecord, type RawRecord } from './types';

/**
 * What was fetched without the offset that was passed over at its end, if there is one.
 * @param maxBytes of key and value together: a record that has more counts as one that cannot be read.
 */
export function recordsOf(fetched: RawRecord[], maxBytes: number): RawRecord[] {
  const records = fetched.at(-1) instanceof PassedOffset ? fetched.slice(0, -1) : fetched;
  return maxBytes === Infinity ? records : records.map((record) => bounded(record, maxBytes));
}

/** What is kept of an oversized record's value: enough to see what it was. */
const SHOWN_BYTES = 1_000;

function bounded(record: RawRecord, maxBytes: number): RawRecord {
  const { key, value } = record;
  if (record.undecodable !== undefined) return record;
  if ((key?.byteLength ?? 0) + (value?.byteLength ?? 0) <= maxBytes) return record;
  const offset = Number(record.offset);
  const shown = (value ?? key)?.subarray(0, SHOWN_BYTES) ?? Buffer.alloc(0);
  return new UndecodableBatch(Buffer.from(shown), offset, { fault: 'oversized', lastOffset: offset });
}

/** The convenient form of a record, for topics that are not on the hot path. */
export function toIncoming(partition: number, raw: RawRecord): IncomingRecord {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers[name] = first.toString();
  }
  return {
    partition,
    offset: Number(raw.offset),
    timestampMillis: Number(raw.timestamp),
    key: raw.key,
    value: raw.value,
    headers,
    ...(raw.undecodable === undefined ? {} : { undecodable: raw.undecodable }),
    ...(raw.signature === undefined ? {} : { signature: raw.signature }),
  };
}
