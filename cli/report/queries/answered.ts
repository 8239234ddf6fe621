import { type z } from 'zod';
import { quoted, type Query } from '../../../core/warehouse/database/query';

/**
 * What a report shows beside the scores of the versions, each with the SQL that gave it: a reader can run the same again. Errors are
 * prediction − actual in the target's unit, shares go from 0 to 1, `*_at` and `window_start` are microseconds since 1970.
 */
export interface Answered<Row> {
  readonly sql: string;
  readonly rows: readonly Row[];
}

/** Run a query, and keep its SQL. */
export async function answered<Schema extends z.ZodType>(
  query: Query,
  row: Schema,
  sql: string,
): Promise<Answered<z.infer<Schema>>> {
  return { sql, rows: await query(row, sql) };
}

/** Texts as the list of an `IN`. */
export function listed(texts: readonly string[]): string {
  return texts.map(quoted).join(', ');
}
