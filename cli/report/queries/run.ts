import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../../core/contracts/ids';
import { type Query } from '../../../core/warehouse/database/query';
import { TARGET_COLUMNS, targetRow } from '../../../core/warehouse/queries/target';
import { answered, listed, type Answered } from './answered';

const expiredRow = z.object({ expired: z.number() });

/** Evaluations whose rows have outlived the retention: counted in roll-ups, and no longer in a report. */
export async function queryExpired(query: Query): Promise<number> {
  const [row] = await query(
    expiredRow,
    'SELECT coalesce(sum(evaluations), 0)::DOUBLE AS expired FROM evaluation_rollups',
  );
  return row?.expired ?? 0;
}

const settingsRow = targetRow.extend({
  window_seconds: z.number(),
  watermark_seconds: z.number(),
  future_seconds: z.number(),
});
export type SettingsRow = z.infer<typeof settingsRow>;

/** What every process of the deployment agreed on. */
export function querySettings(query: Query): Promise<Answered<SettingsRow>> {
  return answered(
    query,
    settingsRow,
    `SELECT window_micros / 1e6 AS window_seconds, watermark_micros / 1e6 AS watermark_seconds,
       future_micros / 1e6 AS future_seconds,
       ${TARGET_COLUMNS}
FROM stream_settings`,
  );
}

const servingRow = z.object({ version: versionIdSchema, rounds: z.number() });

/**
 * The champion that serves, after a rollback or a promotion by hand as well, and how many of the latest rounds lead back to one that it had a part in.
 * undefined where that is none.
 */
export async function queryServing(query: Query): Promise<z.infer<typeof servingRow> | undefined> {
  const [row] = await query(
    servingRow,
    `WITH parts AS (
  SELECT versions.model_version AS version, max(rounds.round) AS latest
  FROM model_versions AS versions JOIN federated_rounds AS rounds ON versions.model_version IN (rounds.model_version, rounds.champion)
  WHERE versions.stage = 'champion' GROUP BY version
)
SELECT version, (SELECT count(*)::DOUBLE FROM federated_rounds WHERE round >= latest) AS rounds FROM parts`,
  );
  return row;
}

const lineageRow = z.object({
  model_version: versionIdSchema,
  role: z.string().nullable(),
  strategy: z.string().nullable(),
  parents: z.array(z.string()).nullable(),
  seed: z.number().nullable(),
  devices: z.number().nullable(),
  stage: z.string().nullable(),
});
export type LineageRow = z.infer<typeof lineageRow>;

/** Where the versions come from. */
export function queryLineage(query: Query, versions: readonly VersionId[]): Promise<Answered<LineageRow>> {
  return answered(
    query,
    lineageRow,
    `SELECT model_version, role, strategy, parents, seed::DOUBLE AS seed, devices::DOUBLE AS devices, stage
FROM model_versions WHERE model_version IN (${listed(versions)}) ORDER BY round, model_version`,
  );
}
