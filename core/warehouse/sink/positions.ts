import { BIGINT, BOOLEAN, INTEGER, TIMESTAMP, VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { type SerialConnection, type Statements } from '../database/connection';
import { insertRows } from '../database/insert';
import { column, timestampOrNull } from '../database/values';
import { type Mark, type Place } from './marks';

/** Where a partition of a topic stands: the next offset, and the mark where the topic carries blocks. */
export interface Position {
  readonly nextOffset: number;
  readonly mark: Mark | undefined;
}

/** Key of a partition of a topic. */
export function positionKey(topic: string, partition: number): string {
  return `${partition}/${topic}`;
}

export function splitKey(key: string): readonly [topic: string, partition: number] {
  const at = key.indexOf('/');
  return [key.slice(at + 1), Number(key.slice(0, at))];
}

const markRow = z.object({
  topic: z.string(),
  source_partition: z.int(),
  next_offset: z.int(),
  epoch: z.int().nullable(),
  window_start: z.int().nullable(),
  ordinal: z.int().nullable(),
  last: z.boolean().nullable(),
});

export async function readPositions(connection: SerialConnection): Promise<Map<string, Position>> {
  const rows = await connection.rows(markRow, 'SELECT * FROM sink_marks');
  return new Map(
    rows.map(({ topic, source_partition, next_offset, epoch, window_start, ordinal, last }) => [
      positionKey(topic, source_partition),
      {
        nextOffset: next_offset,
        mark: epoch === null ? undefined : { epoch, place: placeIn(window_start, ordinal, last) },
      },
    ]),
  );
}

function placeIn(windowStart: number | null, ordinal: number | null, last: boolean | null): Place | null {
  return windowStart === null || ordinal === null || last === null ? null : { windowStart, ordinal, last };
}

/** All in one statement: most transactions carry a few blocks of each of many partitions. */
export async function writePositions(
  inside: Statements,
  positions: ReadonlyMap<string, Position>,
): Promise<void> {
  const rows = [...positions].map(([key, { nextOffset, mark }]) => {
    const [topic, partition] = splitKey(key);
    return { topic, partition, nextOffset, mark, place: mark?.place ?? null };
  });
  const own = {
    topic: column(rows, VARCHAR, ({ topic }) => topic),
    source_partition: column(rows, INTEGER, ({ partition }) => partition),
    next_offset: column(rows, BIGINT, ({ nextOffset }) => BigInt(nextOffset)),
    epoch: column(rows, BIGINT, ({ mark }) => (mark === undefined ? null : BigInt(mark.epoch))),
    window_start: column(rows, TIMESTAMP, ({ place }) => timestampOrNull(place?.windowStart ?? null)),
    ordinal: column(rows, INTEGER, ({ place }) => place?.ordinal ?? null),
    last: column(rows, BOOLEAN, ({ place }) => place?.last ?? null),
  };
  await insertRows(inside, 'sink_marks', { own }, 'replace');
}
