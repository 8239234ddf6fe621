import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { jsonText } from '../../contracts/validation';
import { type VersionId } from '../../contracts/ids';
import { championCheckSchema, type ChampionCheck } from '../../contracts/live-checks';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { insertRow } from '../database/insert';
import { column, timestamp } from '../database/values';
import { evaluatedWindows } from './windows';

const electedRow = z.object({ until: z.int().nullable() });

/**
 * The latest `limit` complete windows that a version was evaluated on after the round that made it champion; oldest first.
 * The windows of that round are left out: the version was elected for doing well on them.
 */
export async function windowsInService(
  connection: SerialConnection,
  input: { readonly version: VersionId; readonly before: Micros; readonly limit: number },
): Promise<Micros[]> {
  const [elected] = await connection.rows(
    electedRow,
    "SELECT max(window_until) AS until FROM federated_rounds WHERE model_version = $version AND decision = 'promoted'",
    { version: input.version },
  );
  const from = typeof elected?.until === 'number' ? elected.until + 1 : null;
  return evaluatedWindows(connection, { ...input, from, latest: true });
}

const checkRow = z.object({ result: jsonText(championCheckSchema) });

/** The check of a version on the latest windows. */
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

/** Store a check; it replaces one of the same windows. */
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
