import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { type VersionId } from '../../contracts/ids';
import { championCheckSchema, type ChampionCheck } from '../../contracts/live-checks';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { list, timestamp, timestampOrNull } from '../database/values';

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
  result: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(championCheckSchema),
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
  return connection.run(
    `INSERT OR REPLACE INTO champion_checks VALUES ($version, $predecessor, $windows, $from, $until, $accuracy,
       $persistence, $predecessorAccuracy, $change, $changeLow, $changeHigh, $floor, $floorLow, $floorHigh, $action, $reason,
       $drift, $result)`,
    {
      version: check.champion,
      predecessor: check.predecessor,
      windows: windows.count,
      from: timestamp(windows.from),
      until: timestamp(windows.until),
      accuracy: check.accuracy,
      persistence: check.persistenceAccuracy,
      predecessorAccuracy: check.predecessorAccuracy,
      change: againstPredecessor?.mean ?? null,
      changeLow: againstPredecessor?.low ?? null,
      changeHigh: againstPredecessor?.high ?? null,
      floor: againstPersistence.mean,
      floorLow: againstPersistence.low,
      floorHigh: againstPersistence.high,
      action: verdict.action,
      reason: verdict.reason,
      drift: list(
        check.drift.map(({ detector, change }) => `${detector} ${change}`),
        VARCHAR,
      ),
      result: JSON.stringify(check),
    },
  );
}
