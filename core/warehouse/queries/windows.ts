import { type DuckDBTimestampValue } from '@duckdb/node-api';
import { z } from 'zod';
import { type VersionId } from '../../contracts/ids';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { timestamp, timestampOrNull } from '../database/values';

/** Closed windows from the one that starts at `from` to the one that starts at `until`, both included. */
export interface WindowRange {
  readonly from: Micros;
  readonly until: Micros;
}

/** Rows of a range, in SQL; its parameters are `boundsOf` the range. */
export const IN_RANGE = 'window_start BETWEEN $from AND $until';

export function boundsOf({ from, until }: WindowRange): Record<'from' | 'until', DuckDBTimestampValue> {
  return { from: timestamp(from), until: timestamp(until) };
}

const startRow = z.object({ start: z.int() });

/**
 * Starts of the windows from `from` on (null: from the first on) and before `before` that have evaluations, of one version or of
 * any; oldest first. Of more than `limit` the first, or with `latest` the last.
 */
export async function evaluatedWindows(
  connection: SerialConnection,
  input: {
    readonly from: Micros | null;
    readonly before: Micros;
    readonly version?: VersionId;
    readonly limit?: number;
    readonly latest?: boolean;
  },
): Promise<Micros[]> {
  const { from, before, version = null, limit = null, latest = false } = input;
  if (!Number.isFinite(before)) return [];
  const rows = await connection.rows(
    startRow,
    `SELECT DISTINCT window_start AS start FROM evaluation_rows
     WHERE window_start < $before AND window_start >= coalesce($from, '-infinity'::TIMESTAMP)
       AND model_version = coalesce($version, model_version)
     ORDER BY start ${latest ? 'DESC' : ''} LIMIT $limit`,
    { before: timestamp(before), from: timestampOrNull(from), version, limit },
  );
  const starts = rows.map(({ start }) => start);
  return latest ? starts.reverse() : starts;
}

const activationRow = z.object({
  partition: z.int(),
  /** First window that the partition evaluates the version on; null = the first that it will close. */
  fromWindow: z.int().nullable(),
});
type Activation = z.infer<typeof activationRow>;

export function activationsOf(connection: SerialConnection, version: VersionId): Promise<Activation[]> {
  return connection.rows(
    activationRow,
    `SELECT source_partition AS "partition", from_window AS "fromWindow" FROM stream_activations
     WHERE model_version = $version ORDER BY source_partition`,
    { version },
  );
}

const latestRow = z.object({ start: z.int().nullable() });

/** Start of the latest window that feedback was published for. */
export async function latestPublishedWindow(connection: SerialConnection): Promise<Micros | null> {
  const [row] = await connection.rows(
    latestRow,
    "SELECT max(window_start) AS start FROM model_feedback WHERE scope = 'window'",
  );
  return row?.start ?? null;
}
