import { type z } from 'zod';
import { quoted, type Ask } from '../../../core/warehouse/database/ask';

/**
 * What a report shows beside the scores of the versions, each with the SQL that gave it: a reader can ask the same again. Errors are
 * prediction − actual in °C, shares go from 0 to 1, `*_at` and `window_start` are microseconds since 1970.
 */
export interface Answered<Row> {
  readonly sql: string;
  readonly rows: readonly Row[];
}

/** Ask, and keep the question. */
export async function answered<Schema extends z.ZodType>(
  ask: Ask,
  row: Schema,
  sql: string,
): Promise<Answered<z.infer<Schema>>> {
  return { sql, rows: await ask(row, sql) };
}

/** Texts as the list of an `IN`. */
export function listed(texts: readonly string[]): string {
  return texts.map(quoted).join(', ');
}
