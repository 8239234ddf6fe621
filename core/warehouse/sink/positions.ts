import { BIGINT, BOOLEAN, INTEGER, TIMESTAMP, VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { type SerialConnection, type Statements } from '../database/connection';
import { insertRows } from '../database/insert';
import { column, timestampOrNull } from '../database/values';
import { type Mark } from './marks';

/** How far a partition of a topic is stored: the next offset, and the mark where the topic carries blocks. */
export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: number;
  readonly mark: Mark | undefined;
  /** The number of the last reject that is stored; null where that is not known. Other topics have 0. */
  readonly refused: number | null;
}

/** Of a partition of which nothing was stored yet. */
export const NO_POSITION: Pick<Position, 'nextOffset' | 'mark' | 'refused'> = {
  nextOffset: 0,
  mark: undefined,
  refused: 0,
};

/** Key of a partition of a topic. */
export function positionKey({ topic, partition }: Pick<Position, 'topic' | 'partition'>): string {
  return `${partition}/${topic}`;
}

const markRow = z.object({
  topic: z.string(),
  partition: z.int(),
  nextOffset: z.int(),
  epoch: z.int().nullable(),
  windowStart: z.int().nullable(),
  ordinal: z.int().nullable(),
  last: z.boolean().nullable(),
  refused: z.int().nullable(),
});

export async function readPositions(connection: SerialConnection): Promise<Map<string, Position>> {
  const rows = await connection.rows(
    markRow,
    `SELECT topic, source_partition AS "partition", next_offset AS "nextOffset", epoch, window_start AS "windowStart", ordinal, last,
            refused::DOUBLE AS refused
     FROM sink_marks`,
  );
  const positions = rows.map(({ epoch, windowStart, ordinal, last, ...position }): Position => {
    const place =
      windowStart === null || ordinal === null || last === null ? null : { windowStart, ordinal, last };
    return { ...position, mark: epoch === null ? undefined : { epoch, place } };
  });
  return new Map(positions.map((position) => [positionKey(position), position]));
}

/** All in one statement: most transactions carry a few blocks of each of many partitions. */
export async function writePositions(inside: Statements, positions: Iterable<Position>): Promise<void> {
  const rows = [...positions];
  const own = {
    topic: column(rows, VARCHAR, ({ topic }) => topic),
    source_partition: column(rows, INTEGER, ({ partition }) => partition),
    next_offset: column(rows, BIGINT, ({ nextOffset }) => BigInt(nextOffset)),
    epoch: column(rows, BIGINT, ({ mark }) => (mark === undefined ? null : BigInt(mark.epoch))),
    window_start: column(rows, TIMESTAMP, ({ mark }) => timestampOrNull(mark?.place?.windowStart ?? null)),
    ordinal: column(rows, INTEGER, ({ mark }) => mark?.place?.ordinal ?? null),
    last: column(rows, BOOLEAN, ({ mark }) => mark?.place?.last ?? null),
    refused: column(rows, BIGINT, ({ refused }) => (refused === null ? null : BigInt(refused))),
  };
  await insertRows(inside, 'sink_marks', { own }, 'replace');
}

/** By topic: the log that its positions are in. */
export async function readLogIds(connection: SerialConnection): Promise<Map<string, string>> {
  const row = z.object({ topic: z.string(), log_id: z.string() });
  const rows = await connection.rows(row, 'SELECT topic, log_id FROM sink_logs');
  return new Map(rows.map(({ topic, log_id: logId }) => [topic, logId]));
}

/** @param isAnother of another log nothing is stored yet. */
export async function writeLogId(
  inside: Statements,
  {
    topic,
    logId,
    isAnother,
  }: { readonly topic: string; readonly logId: string; readonly isAnother: boolean },
): Promise<void> {
  if (isAnother) await inside.run('UPDATE sink_marks SET next_offset = 0 WHERE topic = $topic', { topic });
  await inside.run('INSERT OR REPLACE INTO sink_logs VALUES ($topic, $logId)', { topic, logId });
}
