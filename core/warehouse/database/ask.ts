import { type z } from 'zod';

/**
 * Ask the tables with one SELECT; every row is checked against `row`. Behind it is a running system's analytics worker or a
 * warehouse at rest: a question must stand for itself, without parameters.
 */
export type Ask = <Row extends z.ZodType>(row: Row, sql: string) => Promise<readonly z.infer<Row>[]>;

/** SQL text of a string that may come from outside, such as a device id. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
