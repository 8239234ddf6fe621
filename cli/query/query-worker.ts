import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { type Query } from '../../core/warehouse/database/query';
import { LIMITS } from '../shared/limits';
import { type AnalyticsAddress } from '../system/running';

/** Answer of the analytics worker to a query. */
export const tableSchema = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  // Not a record of zod: it would leave out a column called `__proto__`.
  rows: z.array(
    z.custom<Readonly<Record<string, unknown>>>((row) => typeof row === 'object' && row !== null),
  ),
  /** The query has more rows than one answer holds. */
  truncated: z.boolean(),
});
export type AnswerTable = z.infer<typeof tableSchema>;

const faultSchema = z.object({ error: z.string() });

/**
 * Send one query to the analytics worker of a running system.
 * @param options `signal` ends the query in the worker as well.
 * @throws FedloopError `InvalidInput` for SQL that it refuses, `InvalidConfig` without its token, `ServerUnavailable` when it does not answer.
 */
export async function queryTable(
  analyticsUrl: string,
  sql: string,
  options: { readonly token?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<AnswerTable> {
  const { token, signal } = options;
  const timeout = AbortSignal.timeout(LIMITS.queryMillis);
  const response = await fetchAgainIfClosed(`${analyticsUrl}/sql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ sql }),
    signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
  }).catch((cause: unknown) => {
    throw new FedloopError('ServerUnavailable', 'the analytics worker does not answer', {
      hint: 'Look at `fedloop status`.',
      cause,
    });
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok) return tableSchema.parse(body);
  if (response.status === 401)
    throw new FedloopError('InvalidConfig', 'the analytics worker answers only with its token', {
      hint: 'Set FEDLOOP_SQL_TOKEN to what stands in the file beside its warehouse (warehouse.duckdb.token).',
    });
  const fault = faultSchema.safeParse(body);
  throw new FedloopError(
    'InvalidInput',
    fault.success ? fault.data.error : `the analytics worker refused the query (${response.status})`,
  );
}

/**
 * A server closes a connection that has rested for seconds. Whoever computed meanwhile, as `verify` does, learns of it only when the next
 * request fails. A query changes nothing, so it is sent once more.
 */
async function fetchAgainIfClosed(url: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(url, request);
  } catch (cause) {
    if (request.signal?.aborted === true) throw cause;
    return fetch(url, request);
  }
}

/** Queries to the analytics worker whose rows are checked against a schema. */
export function queryWorker({ url, token }: AnalyticsAddress): Query {
  return async (row, sql) => z.array(row).parse((await queryTable(url, sql, { token })).rows);
}
