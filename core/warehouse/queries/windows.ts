import { type DuckDBTimestampValue } from '@duckdb/node-api';
import { z } from 'zod';
import { type VersionId } from '../../contracts/ids';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { timestamp } from '../database/values';

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

const startRow = z.object({ window_start: z.int() });

/** Starts of the windows from `from` on and before `before` that have rows, of one version or of any; oldest first. */
export async function evaluatedWindows(
  connection: SerialConnection,
  input: {
    readonly from: Micros | null;
    readonly before: Micros;
    readonly version?: VersionId;
    readonly limit?: number;
  },
): Promise<Micros[]> {
  if (input.before === Number.NEGATIVE_INFINITY) return [];
  const rows = await connection.rows(
    startRow,
    `SELECT DISTINCT window_start FROM evaluation_rows
     WHERE window_start < $before
       ${input.from === null ? '' : 'AND window_start >= $from'}
       ${input.version === undefined ? '' : 'AND model_version = $version'}
     ORDER BY window_start ${input.limit === undefined ? '' : 'LIMIT $limit'}`,
    {
      before: timestamp(input.before),
      ...(input.from === null ? {} : { from: timestamp(input.from) }),
      ...(input.version === undefined ? {} : { version: input.version }),
      ...(input.limit === undefined ? {} : { limit: input.limit }),
    },
  );
  return rows.map(({ window_start }) => window_start);
}

export interface Activation {
  readonly partition: number;
  /** First window that the partition evaluates the version on; null = the first that it will close. */
  readonly fromWindow: Micros | null;
}

const activationRow = z.object({ source_partition: z.int(), from_window: z.int().nullable() });

export async function activationsOf(connection: SerialConnection, version: VersionId): Promise<Activation[]> {
  const rows = await connection.rows(
    activationRow,
    `SELECT source_partition, from_window FROM stream_activations WHERE model_version = $version
     ORDER BY source_partition`,
    { version },
  );
  return rows.map(({ source_partition, from_window }) => ({
    partition: source_partition,
    fromWindow: from_window,
  }));
}

const feedbackEndRow = z.object({ window_start: z.int().nullable() });

/** Start of the latest window that feedback was published for. */
export async function latestPublishedWindow(connection: SerialConnection): Promise<Micros | null> {
  const [row] = await connection.rows(
    feedbackEndRow,
    "SELECT max(window_start) AS window_start FROM model_feedback WHERE scope = 'window'",
  );
  return row?.window_start ?? null;
}
