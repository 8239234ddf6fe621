import { BIGINT, INTEGER } from '@duckdb/node-api';
import { z } from 'zod';
import { REJECT_HEADERS, REJECT_REASONS } from '../../contracts/blocks';
import { isStorableRecordTime, MAX_INTEGER } from '../../contracts/storable';
import { type RejectedRow } from '../database/columns';
import { type Statements } from '../database/connection';
import { MAX_DETAIL_CHARACTERS, MAX_RAW_BYTES } from '../limits';
import { column } from '../database/values';
import { type LostRejects } from './lost-records';
import { type SinkRecord } from './records';

/** An event that the stream refused, from `edge-iiot-rejects`. */
export interface RejectedEvent extends RejectedRow {
  readonly source: 'stream';
  readonly partition: number;
  readonly offset: number;
  /** Of its writer's claim; null in logs of older releases. */
  readonly epoch: number | null;
  /** Among the refused events of its partition, from 1 on; null in logs of older releases. */
  readonly number: number | null;
}

const wholeNumber = z.coerce.number().int().min(0);
const partitionNumber = wholeNumber.max(MAX_INTEGER);
const recordTime = z.string().min(1).pipe(z.coerce.number());
const rejectReason = z.enum(REJECT_REASONS);

/**
 * @returns the event, or a fence: rejects of older epochs behind it in the log are void. undefined when the record lacks the
 * headers that give the event's place.
 */
export function parseReject(record: SinkRecord): RejectedEvent | { readonly fence: number } | undefined {
  const fence = wholeNumber.safeParse(record.headers[REJECT_HEADERS.fence]);
  if (fence.success) return { fence: fence.data };
  const reason = rejectReason.safeParse(record.headers[REJECT_HEADERS.reason]);
  const partition = partitionNumber.safeParse(record.headers[REJECT_HEADERS.partition]);
  const offset = wholeNumber.safeParse(record.headers[REJECT_HEADERS.offset]);
  if (!reason.success || !partition.success || !offset.success) return undefined;
  return {
    source: 'stream',
    file: null,
    line: null,
    reason: reason.data,
    detail: record.headers[REJECT_HEADERS.detail]?.slice(0, MAX_DETAIL_CHARACTERS) ?? null,
    partition: partition.data,
    offset: offset.data,
    raw: readableBytes(record.value),
    recordMillis: recordTimeOf(record),
    epoch: wholeNumber.safeParse(record.headers[REJECT_HEADERS.epoch]).data ?? null,
    number: wholeNumber.safeParse(record.headers[REJECT_HEADERS.number]).data ?? null,
  };
}

/** When the event was recorded, as far as a table holds it; else when its reject was. */
function recordTimeOf({ headers, timestampMillis }: SinkRecord): number {
  const time = recordTime.safeParse(headers[REJECT_HEADERS.time]).data;
  return time !== undefined && isStorableRecordTime(time) ? time : timestampMillis;
}

/**
 * Whether rejects are missing before one. Those that a recovered worker writes again have the numbers that they had.
 * @param refused the number of the last one that is stored; null where that is not known
 * @param number null for one of an earlier release, after which nothing is known
 */
export function judgeNumber(
  refused: number | null,
  number: number | null,
): { readonly refused: number | null; readonly gap: Omit<LostRejects, 'topic' | 'partition'> | null } {
  if (number === null || refused === null) return { refused: number, gap: null };
  if (number <= refused) return { refused, gap: null };
  const isNext = number === refused + 1;
  return { refused: number, gap: isNext ? null : { from: refused + 1, until: number } };
}

/** The first bytes as text; what is no UTF-8 shows as replacement characters. */
export function readableBytes(value: Buffer | null): string {
  return value === null ? '' : value.subarray(0, MAX_RAW_BYTES).toString('utf8');
}

const storedRow = z.object({ partition: z.int(), offset: z.int(), raw: z.string() });

/**
 * The events that are not stored yet, once each. A recovered worker writes the ones since its rewind offset again; they are
 * known by their place in the stream and what they were: a stream that was made anew has other events at the same places.
 */
export async function newRejects(
  inside: Statements,
  events: readonly RejectedEvent[],
): Promise<readonly RejectedEvent[]> {
  if (events.length === 0) return [];
  const stored = await inside.rows(
    storedRow,
    `SELECT source_partition AS "partition", source_offset AS "offset", raw FROM rejected_rows
     SEMI JOIN (SELECT unnest($partitions) AS source_partition, unnest($offsets) AS source_offset)
     USING (source_partition, source_offset) WHERE source = 'stream'`,
    {
      partitions: column(events, INTEGER, ({ partition }) => partition),
      offsets: column(events, BIGINT, ({ offset }) => BigInt(offset)),
    },
  );
  const identityOf = ({ partition, offset, raw }: z.infer<typeof storedRow>): string =>
    JSON.stringify([partition, offset, raw]);
  const known = new Set(stored.map(identityOf));
  return events.filter((event) => {
    const identity = identityOf(event);
    const isNew = !known.has(identity);
    known.add(identity);
    return isNew;
  });
}
