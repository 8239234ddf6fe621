import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { type Query } from '../../core/warehouse/database/query';
import { LIMITS } from '../shared/limits';

/** Answer of the analytics worker to a query. */
export const tableSchema = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.record(z.string(), z.unknown())),
  /** The query has more rows than one answer holds. */
  truncated: z.boolean(),
});
export type AnswerTable = z.infer<typeof tableSchema>;

const faultSchema = z.object({ error: z.string() });

/**
 * Send one query to the analytics worker of a running system.
 * @throws FedloopError `InvalidInput` for SQL that it refuses, `ServerUnavailable` when it does not answer.
 */
export async function queryTable(analyticsUrl: string, sql: string): Promise<AnswerTable> {
  let response: Response;
  try {
    response = await fetch(`${analyticsUrl}/sql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sql }),
      signal: AbortSignal.timeout(LIMITS.queryMillis),
    });
  } catch (cause) {
    throw new FedloopError('ServerUnavailable', 'the analytics worker does not answer', {
      hint: 'Look at `fedloop status`.',
      cause,
    });
  }
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return tableSchema.parse(body);
  const fault = faultSchema.safeParse(body);
  throw new FedloopError(
    'InvalidInput',
    fault.success ? fault.data.error : `the analytics worker refused the query (${response.status})`,
  );
}

/** Queries to the analytics worker whose rows are checked against a schema. */
export function queryWorker(analyticsUrl: string): Query {
  return queryRows((sql) => queryTable(analyticsUrl, sql));
}

/** Checks the rows of any kind of query against a schema. */
export function queryRows(query: (sql: string) => Promise<AnswerTable>): Query {
  return async (row, sql) => z.array(row).parse((await query(sql)).rows);
}
