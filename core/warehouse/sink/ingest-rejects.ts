import { BIGINT, VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import {
  INGEST_LOSS_HEADERS,
  ingestLossHeadersSchema,
  ingestRejectHeadersSchema,
} from '../../contracts/ingest';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { describeIssues } from '../../contracts/validation';
import { type RejectedRow } from '../database/columns';
import { type Statements } from '../database/connection';
import { column, timestamp } from '../database/values';
import { type Change, type SinkRecord, type UnmappedRow } from './records';
import { readableBytes } from './rejects';

/**
 * A message that ingest could not map, from `ingest-rejects`. As a row of a file it has a `file`, its topic with the partition behind it,
 * and a `line`, its offset. Its partition is none of the event stream's, and so is left empty.
 */
export function parseIngestReject({ headers, value, timestampMillis }: SinkRecord): UnmappedRow | undefined {
  const parsed = ingestRejectHeadersSchema.safeParse(headers);
  if (!parsed.success) return undefined;
  const { reason, path, detail, restamped } = parsed.data;
  const { 'source-topic': topic, 'source-partition': partition, 'source-offset': offset } = parsed.data;
  return {
    source: 'ingest',
    reason,
    detail: `${path}: ${detail}`,
    partition: null,
    offset: null,
    file: partition === undefined ? topic : `${topic}/${partition}`,
    line: offset ?? null,
    raw: readableBytes(value),
    recordMillis: timestampMillis,
    hasOwnTime: restamped === undefined,
  };
}

const BEGINS_THERE =
  'topic = $topic AND source_partition = $partition AND from_offset = $from AND log_id = $log';

/**
 * Messages of the source's topic that were gone before they were read. A worker that notes them again after a crash begins where the first one
 * did, and reaches as far or further: what is known of it is not counted twice. A topic that was made anew has the same offsets again, under another id.
 * @param topic the source's; undefined where it has none
 */
export function ingestLossChange(
  { headers, timestampMillis }: SinkRecord,
  topic: string | undefined,
): Exclude<Change, undefined> {
  const parsed = ingestLossHeadersSchema.safeParse(headers);
  if (!parsed.success) return describeIssues(parsed.error, ingestLossHeadersSchema);
  if (topic === undefined) return 'messages lost by a source that is no topic';
  const { 'lost-partition': partition, 'lost-from': from, 'lost-until': until } = parsed.data;
  const begins = { topic, partition, from: BigInt(from), log: parsed.data['lost-log'] };
  const reaches = { until: BigInt(until), noticed: timestamp(timestampMillis * MICROS_PER_MILLI) };
  return async (inside) => {
    await inside.run(
      `INSERT INTO lost_records (topic, source_partition, from_offset, until_offset, noticed_at, log_id)
       SELECT $topic, $partition, $from, $from, $noticed, $log
       WHERE NOT EXISTS (SELECT 1 FROM lost_records WHERE ${BEGINS_THERE})`,
      { ...begins, noticed: reaches.noticed },
    );
    await inside.run(
      `UPDATE lost_records SET until_offset = $until, noticed_at = $noticed WHERE ${BEGINS_THERE} AND until_offset < $until`,
      { ...begins, ...reaches },
    );
  };
}

/** Whether a record of `ingest-rejects` is one of lost messages. */
export function isIngestLoss({ headers }: Pick<SinkRecord, 'headers'>): boolean {
  return headers[INGEST_LOSS_HEADERS.from] !== undefined;
}

const storedRow = z.object({
  file: z.string(),
  line: z.int(),
  detail: z.string(),
  raw: z.string(),
  recordMillis: z.number().nullable(),
});

/** @param millis the message's own time; null where it has none */
function identityOf(
  { file, line, detail, raw }: Pick<RejectedRow, 'file' | 'line' | 'detail' | 'raw'>,
  millis: number | null,
): string {
  return JSON.stringify([file, line, detail, raw, millis]);
}

/**
 * The rejects that are not stored yet, once each: after a crash, ingest writes some again. They are known by their place in the source's
 * topic, the message and its own time: a topic that was made anew has other messages at the same places. MQTT has no places, so that of a message that
 * its server sent twice both rejects stay.
 */
export async function newIngestRejects(
  inside: Statements,
  rejects: readonly UnmappedRow[],
): Promise<readonly UnmappedRow[]> {
  const placed = rejects.filter(({ line }) => line !== null);
  const stored =
    placed.length === 0
      ? []
      : await inside.rows(
          storedRow,
          `SELECT file, line, detail, raw, epoch_ms(rejected_at)::DOUBLE AS "recordMillis" FROM rejected_rows
           SEMI JOIN (SELECT unnest($files) AS file, unnest($lines) AS line) USING (file, line) WHERE source = 'ingest'`,
          {
            files: column(placed, VARCHAR, ({ file }) => file),
            lines: column(placed, BIGINT, ({ line }) => BigInt(line ?? 0)),
          },
        );
  const identities = (row: z.infer<typeof storedRow> | UnmappedRow): string[] =>
    [row.recordMillis, null].map((millis) => identityOf(row, millis));
  const known = new Set(stored.flatMap(identities));
  return rejects.filter((reject) => {
    const isNew =
      reject.line === null || !known.has(identityOf(reject, reject.hasOwnTime ? reject.recordMillis : null));
    for (const identity of identities(reject)) known.add(identity);
    return isNew;
  });
}
