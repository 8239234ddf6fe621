import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { jsonText } from '../../contracts/validation';
import { type VersionId } from '../../contracts/ids';
import { championCheckSchema, type ChampionCheck } from '../../contracts/live-checks';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { insertRow } from '../database/insert';
import { column, timestamp, timestampOrNull } from '../database/values';

const startRow = z.object({ window_start: z.int() });
const untilRow = z.object({ until: z.int().nullable() });

/**
 * The latest `limit` complete windows that a version was measured on after the round that made it champion had judged it; oldest first.
 * The windows that elected it are left out: on those it was chosen for doing well.
 */
export async function windowsInService(
  connection: SerialConnection,
  input: { readonly version: VersionId; readonly before: Micros; readonly limit: number },
): Promise<Micros[]> {
  if (!Number.isFinite(input.before)) return [];
  const [elected] = await connection.rows(
    untilRow,
    "SELECT max(window_until) AS until FROM federated_rounds WHERE model_version = $version AND decision = 'promoted'",
    { version: input.version },
  );
  const rows = await connection.rows(
    startRow,
    `SELECT DISTINCT window_start FROM evaluation_rows
     WHERE model_version = $version AND window_start < $before
       AND window_start > coalesce($elected, '-infinity'::TIMESTAMP)
     ORDER BY window_start DESC LIMIT $limit`,
    {
      version: input.version,
      before: timestamp(input.before),
      elected: timestampOrNull(elected?.until ?? null),
      limit: input.limit,
    },
  );
  return rows.map(({ window_start }) => window_start).reverse();
}

const checkRow = z.object({
  result: jsonText(championCheckSchema),
});

/** The check of a version that looked at the latest windows. */
export async function latestCheck(
  connection: SerialConnection,
  version: VersionId,
): Promise<ChampionCheck | undefined> {
  const [row] = await connection.rows(
    checkRow,
    'SELECT result FROM champion_checks WHERE model_version = $version ORDER BY window_until DESC LIMIT 1',
    { version },
  );
  return row?.result;
}

/** Keep a check; one of the same windows replaces it. */
export function saveCheck(connection: SerialConnection, check: ChampionCheck): Promise<void> {
  const { againstPredecessor, againstPersistence, windows, verdict } = check;
  const row = {
    model_version: check.champion,
    predecessor: check.predecessor,
    windows: windows.count,
    window_from: timestamp(windows.from),
    window_until: timestamp(windows.until),
    accuracy: check.accuracy,
    persistence_accuracy: check.persistenceAccuracy,
    predecessor_accuracy: check.predecessorAccuracy,
    change: againstPredecessor?.mean ?? null,
    change_low: againstPredecessor?.low ?? null,
    change_high: againstPredecessor?.high ?? null,
    persistence_change: againstPersistence.mean,
    persistence_change_low: againstPersistence.low,
    persistence_change_high: againstPersistence.high,
    action: verdict.action,
    reason: verdict.reason,
    drift: column(check.drift, VARCHAR, ({ detector, change }) => `${detector} ${change}`),
    result: JSON.stringify(check),
  };
  return insertRow(connection, 'champion_checks', row, 'replace');
}
