import { BIGINT, VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { ingestRejectHeadersSchema } from '../../contracts/ingest';
import { type RejectedRow } from '../database/columns';
import { type Statements } from '../database/connection';
import { column } from '../database/values';
import { type SinkRecord } from './records';
import { readableBytes } from './rejects';

/**
 * A message that ingest could not map, from `ingest-rejects`. As a row of a file it has a `file`, its topic with the partition behind it,
 * and a `line`, its offset. Its partition is none of the event stream's, and so is left empty.
 */
export function parseIngestReject({ headers, value, timestampMillis }: SinkRecord): RejectedRow | undefined {
  const parsed = ingestRejectHeadersSchema.safeParse(headers);
  if (!parsed.success) return undefined;
  const { reason, path, detail } = parsed.data;
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
  };
}

const placeRow = z.object({ file: z.string(), line: z.int(), detail: z.string() });

/**
 * The rejects that are not stored yet, once each: after a crash, ingest writes some again. They are known by their place in the source's
 * topic; MQTT has no places, so that of a message that its server sent twice both rejects stay.
 */
export async function newIngestRejects(
  inside: Statements,
  rejects: readonly RejectedRow[],
): Promise<readonly RejectedRow[]> {
  const placed = rejects.filter(({ line }) => line !== null);
  const stored =
    placed.length === 0
      ? []
      : await inside.rows(
          placeRow,
          `SELECT file, line, detail FROM rejected_rows
           SEMI JOIN (SELECT unnest($files) AS file, unnest($lines) AS line) USING (file, line) WHERE source = 'ingest'`,
          {
            files: column(placed, VARCHAR, ({ file }) => file),
            lines: column(placed, BIGINT, ({ line }) => BigInt(line ?? 0)),
          },
        );
  const placeOf = ({ file, line, detail }: Pick<RejectedRow, 'file' | 'line' | 'detail'>): string =>
    JSON.stringify([file, line, detail]);
  const known = new Set(stored.map(placeOf));
  return rejects.filter((reject) => {
    const place = placeOf(reject);
    const isNew = reject.line === null || !known.has(place);
    known.add(place);
    return isNew;
  });
}
