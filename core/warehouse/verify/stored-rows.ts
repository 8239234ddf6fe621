import { TIMESTAMP } from '@duckdb/node-api';
import { z } from 'zod';
import { TOPICS } from '../../contracts/topics';
import { type Micros } from '../../contracts/time';
import { type Query } from '../database/query';
import { type ComparedTable, type Row } from './row-differences';

/** Up to where the tables have everything that the workers wrote. */
export interface StoredBounds {
  /** By partition: start of the last window whose rows are all there; nothing while there is none. */
  readonly analysis: ReadonlyMap<number, Micros>;
  readonly evaluations: ReadonlyMap<number, Micros>;
  /** By partition: source offset of the last reject. */
  readonly rejects: ReadonlyMap<number, number>;
  /** Rows of windows that start before it were deleted for their age; negative infinity while all are there. */
  readonly expiredBefore: Micros;
}

const markRow = z.object({ topic: z.string(), partition: z.int(), start: z.int(), last: z.boolean() });
const rejectRow = z.object({ partition: z.int(), offset: z.int() });
const expiredRow = z.object({ before: z.int() });

export async function storedBounds(query: Query, windowMicros: Micros): Promise<StoredBounds> {
  const marks = await query(
    markRow,
    `SELECT topic, source_partition AS "partition", epoch_us(window_start) AS start, last FROM sink_marks
     WHERE window_start IS NOT NULL AND topic IN ('${TOPICS.analysis.name}', '${TOPICS.evaluations.name}')`,
  );
  // A window whose last block has not come is not complete; the ones before it are.
  const completeOf = (topic: string): Map<number, Micros> =>
    new Map(
      marks
        .filter((mark) => mark.topic === topic)
        .map(({ partition, start, last }) => [partition, last ? start : start - windowMicros]),
    );
  const rejects = await query(
    rejectRow,
    `SELECT source_partition AS "partition", max(source_offset) AS "offset" FROM rejected_rows
     WHERE source = 'stream' GROUP BY source_partition`,
  );
  const expired = await query(expiredRow, 'SELECT epoch_us(before) AS before FROM expired_rows');
  return {
    analysis: completeOf(TOPICS.analysis.name),
    evaluations: completeOf(TOPICS.evaluations.name),
    rejects: new Map(rejects.map(({ partition, offset }) => [partition, offset])),
    expiredBefore: expired[0]?.before ?? -Infinity,
  };
}

const record = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** Well below the limit of an answer; about 10 MB of JSON. */
const ROWS_PER_ANSWER = 50_000;

/** Rows of windows (or source offsets) after `after`, up to and including `upTo`, in the table's compared columns. */
export async function storedRows(
  query: Query,
  { name: table, keys, compared }: ComparedTable,
  { partition, after, upTo }: { readonly partition: number; readonly after: number; readonly upTo: number },
): Promise<Row[]> {
  const names = compared.map(({ name }) => name);
  const columns = compared.map(({ name, type }) =>
    type === TIMESTAMP ? `epoch_us(${name}) AS ${name}` : `"${name}"`,
  );
  const [place = ''] = names;
  const bound = (at: number): string =>
    compared[0]?.type === TIMESTAMP ? `make_timestamp(${at})` : String(at);
  const sql = `SELECT ${columns.join(', ')} FROM ${table}
     WHERE source_partition = ${partition} AND ${place} <= ${bound(upTo)}
       ${Number.isFinite(after) ? `AND ${place} > ${bound(after)}` : ''}
     ORDER BY ${names.slice(0, keys).join(', ')}`;
  const rows: Row[] = [];
  for (;;) {
    const page = await query(record, `${sql} LIMIT ${ROWS_PER_ANSWER} OFFSET ${rows.length}`);
    for (const row of page) rows.push(names.map((name) => row[name] ?? null));
    if (page.length < ROWS_PER_ANSWER) return rows;
  }
}
