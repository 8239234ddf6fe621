import { PassedOffset } from './fetched-batches';
import { type IncomingRecord, type RawRecord } from './types';

/** What was fetched without the offset that was passed over at its end, if there is one. */
export function recordsOf<Fetched>(fetched: Fetched[]): Fetched[] {
  return fetched.at(-1) instanceof PassedOffset ? fetched.slice(0, -1) : fetched;
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
