import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { type Ask } from '../../core/warehouse/database/ask';
import { LIMITS } from '../shared/limits';

/** An answer as the analytics worker gives it. */
export const tableSchema = z.object({
  columns: z.array(z.object({ name: z.string(), type: z.string() })),
  rows: z.array(z.record(z.string(), z.unknown())),
  /** More rows than one answer holds. */
  truncated: z.boolean(),
});
export type AnswerTable = z.infer<typeof tableSchema>;

const faultSchema = z.object({ error: z.string() });

/**
 * One question to the analytics worker of a running system.
 * @throws FedloopError `InvalidInput` for SQL that it refuses, `ServerUnavailable` when it does not answer.
 */
export async function askTable(analyticsUrl: string, sql: string): Promise<AnswerTable> {
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
    fault.success ? fault.data.error : `the analytics worker refused the question (${response.status})`,
  );
}

/** Ask the analytics worker, row by row checked. */
export function askWorker(analyticsUrl: string): Ask {
  return askRows((sql) => askTable(analyticsUrl, sql));
}

/** The same of any way to ask. */
export function askRows(ask: (sql: string) => Promise<AnswerTable>): Ask {
  return async (row, sql) => z.array(row).parse((await ask(sql)).rows);
}
