import { type z } from 'zod';

/**
 * Run one SELECT on the tables of a running system or of a warehouse that nobody has open. It takes no parameters. Every row of
 * the answer is checked against `row`.
 */
export type Query = <Row extends z.ZodType>(row: Row, sql: string) => Promise<readonly z.infer<Row>[]>;

/** SQL text of a string that may come from outside, such as a device id. */
export function quoted(text: string): string {
  const parts = text.split('\0').map((part) => `'${part.replaceAll("'", "''")}'`);
  // SQL text ends at a character of code 0.
  return parts.length === 1 ? parts.join() : `(${parts.join(' || chr(0) || ')})`;
}
