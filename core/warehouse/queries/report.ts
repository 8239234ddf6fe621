import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { quoted, type Ask } from '../database/ask';
import { upTo, type Cut } from './cutoff';

/**
 * What a report shows beside the scores of the versions, each with the SQL that gave it: a reader can ask the same again. Errors are
 * prediction − actual in °C, shares go from 0 to 1, `*_at` and `window_start` are microseconds since 1970.
 */
export interface Answered<Row> {
  readonly sql: string;
  readonly rows: readonly Row[];
}

async function answered<Schema extends z.ZodType>(
  ask: Ask,
  row: Schema,
  sql: string,
): Promise<Answered<z.infer<Schema>>> {
  return { sql, rows: await ask(row, sql) };
}

function listed(texts: readonly string[]): string {
  return texts.map(quoted).join(', ');
}

const countRow = z.object({
  model_version: versionIdSchema,
  windows: z.number(),
  evaluations: z.number(),
  correct: z.number(),
  accuracy: z.number(),
});
export type CountRow = z.infer<typeof countRow>;

/** Every version that was measured, as counted from the rows that are still there. */
export function askCounts(ask: Ask, versions: readonly VersionId[], cut: Cut): Promise<Answered<CountRow>> {
  return answered(
    ask,
    countRow,
    `SELECT model_version, count(DISTINCT window_start)::DOUBLE AS windows, count(*)::DOUBLE AS evaluations,
       count(*) FILTER (WHERE is_correct)::DOUBLE AS correct, avg(is_correct::DOUBLE) AS accuracy
FROM model_evaluations WHERE model_version IN (${listed(versions)})${upTo(cut)}
GROUP BY model_version ORDER BY model_version`,
  );
}

const expiredRow = z.object({ expired: z.number() });

/** Evaluations whose rows have outlived the retention: counted in roll-ups, and no longer in a report. */
export async function askExpired(ask: Ask): Promise<number> {
  const [row] = await ask(
    expiredRow,
    'SELECT coalesce(sum(evaluations), 0)::DOUBLE AS expired FROM evaluation_rollups',
  );
  return row?.expired ?? 0;
}

const windowRow = z.object({
  model_version: versionIdSchema,
  window_start: z.number(),
  evaluations: z.number(),
  accuracy: z.number(),
  persistence_accuracy: z.number(),
});
export type WindowRow = z.infer<typeof windowRow>;

/** Accuracy of some versions window by window, and that of persistence on the same devices. */
export function askWindows(ask: Ask, versions: readonly VersionId[], cut: Cut): Promise<Answered<WindowRow>> {
  return answered(
    ask,
    windowRow,
    `SELECT model_version, epoch_us(window_start)::DOUBLE AS window_start, evaluations::DOUBLE AS evaluations,
       correct / evaluations AS accuracy, persistence_correct / evaluations AS persistence_accuracy
FROM version_windows WHERE model_version IN (${listed(versions)})${upTo(cut)}
ORDER BY window_start, model_version`,
  );
}

const binRow = z.object({
  bin: z.number(),
  n: z.number(),
  correct: z.number(),
  confidence: z.number(),
  accuracy: z.number(),
});
export type ReliabilityRow = z.infer<typeof binRow>;

/** Ten equal bins of a version's stated confidence, and how often it was right in each. */
export function askReliability(ask: Ask, version: VersionId, cut: Cut): Promise<Answered<ReliabilityRow>> {
  return answered(
    ask,
    binRow,
    `SELECT least(9, greatest(0, floor(confidence * 10)))::DOUBLE AS bin, count(*)::DOUBLE AS n,
       count(*) FILTER (WHERE is_correct)::DOUBLE AS correct, avg(confidence) AS confidence, avg(is_correct::DOUBLE) AS accuracy
FROM model_evaluations WHERE model_version = ${quoted(version)}${upTo(cut)}
GROUP BY bin ORDER BY bin`,
  );
}

const regimeRow = z.object({
  regime: z.string(),
  n: z.number(),
  accuracy: z.number(),
  bias: z.number(),
  mae: z.number(),
  p05: z.number(),
  p25: z.number(),
  p50: z.number(),
  p75: z.number(),
  p95: z.number(),
});
export type RegimeRow = z.infer<typeof regimeRow>;

/** How a version's errors are distributed: over the course of the temperature, and where an anomaly is known to be or not to be. */
export function askRegimes(ask: Ask, version: VersionId, cut: Cut): Promise<Answered<RegimeRow>> {
  return answered(
    ask,
    regimeRow,
    `WITH rows AS (
  SELECT regime, error, is_correct FROM model_evaluations WHERE model_version = ${quoted(version)}${upTo(cut)}
  UNION ALL
  SELECT CASE WHEN actual_anomaly THEN 'anomalous' ELSE 'normal' END, error, is_correct
  FROM model_evaluations WHERE model_version = ${quoted(version)} AND actual_anomaly IS NOT NULL${upTo(cut)}
)
SELECT regime, count(*)::DOUBLE AS n, avg(is_correct::DOUBLE) AS accuracy, avg(error) AS bias, avg(abs(error)) AS mae,
       quantile_cont(error, 0.05) AS p05, quantile_cont(error, 0.25) AS p25, quantile_cont(error, 0.5) AS p50,
       quantile_cont(error, 0.75) AS p75, quantile_cont(error, 0.95) AS p95
FROM rows GROUP BY regime ORDER BY regime`,
  );
}

const actionRow = z.object({
  round: z.number(),
  regime: z.string(),
  n: z.number(),
  accuracy_before: z.number(),
  accuracy_after: z.number(),
  bias_before: z.number(),
  bias_after: z.number(),
  mae_before: z.number(),
  mae_after: z.number(),
});
export type ActionRow = z.infer<typeof actionRow>;

/**
 * Champion (before) and candidate (after) of each round on the device-windows that judged it and that both forecast; `all`, and by
 * regime.
 */
export function askActions(ask: Ask, rounds: readonly number[]): Promise<Answered<ActionRow>> {
  return answered(
    ask,
    actionRow,
    `WITH pairs AS (
  SELECT rounds.round, after.regime, after.actual_anomaly, before.is_correct AS correct_before, after.is_correct AS correct_after,
         before.error AS error_before, after.error AS error_after
  FROM federated_rounds AS rounds
  JOIN model_evaluations AS before ON before.model_version = rounds.champion
   AND before.window_start BETWEEN rounds.window_from AND rounds.window_until
  JOIN model_evaluations AS after ON after.model_version = rounds.model_version
   AND after.window_start = before.window_start AND after.device_id = before.device_id
  WHERE rounds.round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')})
), groups AS (
  SELECT 'all' AS name, * FROM pairs
  UNION ALL SELECT regime, * FROM pairs
  UNION ALL SELECT CASE WHEN actual_anomaly THEN 'anomalous' ELSE 'normal' END, * FROM pairs WHERE actual_anomaly IS NOT NULL
)
SELECT round, name AS regime, count(*)::DOUBLE AS n,
       avg(correct_before::DOUBLE) AS accuracy_before, avg(correct_after::DOUBLE) AS accuracy_after,
       avg(error_before) AS bias_before, avg(error_after) AS bias_after,
       avg(abs(error_before)) AS mae_before, avg(abs(error_after)) AS mae_after
FROM groups GROUP BY round, name ORDER BY round, name`,
  );
}

const feedbackUsedRow = z.object({
  round: z.number(),
  feedback_used: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))),
});
export type FeedbackUsedRow = z.infer<typeof feedbackUsedRow>;

/** What each round was told, and what it did about it, as its lineage says. */
export function askFeedbackUsed(ask: Ask, rounds: readonly number[]): Promise<Answered<FeedbackUsedRow>> {
  return answered(
    ask,
    feedbackUsedRow,
    `SELECT round, feedback_used::VARCHAR AS feedback_used FROM federated_rounds
WHERE round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')}) ORDER BY round`,
  );
}

const localsRow = z.object({
  round: z.number(),
  locals: z.number(),
  self_reported: z.number().nullable(),
  panel: z.number().nullable(),
});
export type LocalsRow = z.infer<typeof localsRow>;

/** What local models said of themselves against what panels of other devices found; the try that made a version alone counts. */
export function askLocals(ask: Ask, rounds: readonly number[]): Promise<Answered<LocalsRow>> {
  return answered(
    ask,
    localsRow,
    `SELECT round, count(*)::DOUBLE AS locals, avg(self_reported_accuracy) AS self_reported, avg(real_accuracy) AS panel
FROM local_models WHERE model_version IS NOT NULL AND round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')})
GROUP BY round ORDER BY round`,
  );
}

const deviceRow = z.object({
  device_id: z.string(),
  n: z.number(),
  correct: z.number(),
  accuracy: z.number(),
  mae: z.number(),
  bias: z.number(),
});
export type DeviceRow = z.infer<typeof deviceRow>;

/** The devices that a version serves worst: fewest correct forecasts, then the largest mean absolute error. */
export function askWorstDevices(
  ask: Ask,
  version: VersionId,
  most: number,
  cut: Cut,
): Promise<Answered<DeviceRow>> {
  return answered(
    ask,
    deviceRow,
    `SELECT device_id, count(*)::DOUBLE AS n, count(*) FILTER (WHERE is_correct)::DOUBLE AS correct,
       avg(is_correct::DOUBLE) AS accuracy, avg(abs(error)) AS mae, avg(error) AS bias
FROM model_evaluations WHERE model_version = ${quoted(version)}${upTo(cut)}
GROUP BY device_id ORDER BY accuracy, mae DESC, device_id LIMIT ${most}`,
  );
}

const seriesRow = z.object({
  device_id: z.string(),
  window_start: z.number(),
  actual: z.number(),
  prediction: z.number().nullable(),
  is_correct: z.boolean().nullable(),
  model_version: versionIdSchema.nullable(),
});
export type SeriesRow = z.infer<typeof seriesRow>;

/** Latest windows that one device's series goes back. */
const SERIES_WINDOWS = 120;

/** Means of some devices, window by window, and beside each what the newest of the `versions` measured there had forecast. */
export function askSeries(
  ask: Ask,
  devices: readonly string[],
  versions: readonly VersionId[],
  cut: Cut,
): Promise<Answered<SeriesRow>> {
  const order = versions.map((version, index) => `WHEN ${quoted(version)} THEN ${index}`).join(' ');
  return answered(
    ask,
    seriesRow,
    `SELECT results.device_id, epoch_us(results.window_start)::DOUBLE AS window_start, results.avg AS actual,
       forecasts.prediction_result AS prediction, forecasts.is_correct, forecasts.model_version
FROM stream_analysis_results AS results
LEFT JOIN (
  SELECT device_id, window_start, prediction_result, is_correct, model_version FROM model_evaluations
  WHERE device_id IN (${listed(devices)}) AND model_version IN (${listed(versions)})
  QUALIFY row_number() OVER (PARTITION BY device_id, window_start ORDER BY CASE model_version ${order} END DESC) = 1
) AS forecasts USING (device_id, window_start)
WHERE results.device_id IN (${listed(devices)})${upTo(cut, 'results.window_start')}
QUALIFY row_number() OVER (PARTITION BY results.device_id ORDER BY results.window_start DESC) <= ${SERIES_WINDOWS}
ORDER BY results.device_id, results.window_start`,
  );
}

const timelineRow = z.object({
  round: z.number(),
  started_at: z.number().nullable(),
  deployed_at: z.number(),
  first_scored_at: z.number().nullable(),
  last_scored_at: z.number().nullable(),
  decided_at: z.number().nullable(),
});
export type TimelineRow = z.infer<typeof timelineRow>;

/**
 * When each round was at work, by the wall clock: the decision before it (for the first round, the making of v0), its candidate's
 * deployment, the first and the last evaluation that judged it, and its decision.
 */
export function askTimeline(ask: Ask, rounds: readonly number[]): Promise<Answered<TimelineRow>> {
  return answered(
    ask,
    timelineRow,
    `WITH stages AS (
  SELECT round, min(staged_at) FILTER (WHERE stage = 'candidate') AS deployed_at,
         min(staged_at) FILTER (WHERE stage <> 'candidate') AS decided_at
  FROM model_stages GROUP BY round
), scored AS (
  SELECT rounds.round, min(evaluation_timestamp) AS first_scored_at, max(evaluation_timestamp) AS last_scored_at
  FROM federated_rounds AS rounds
  JOIN model_evaluations AS rows ON rows.model_version = rounds.model_version
   AND rows.window_start BETWEEN rounds.window_from AND rounds.window_until
  GROUP BY rounds.round
), timeline AS (
  SELECT round, lag(decided_at) OVER (ORDER BY round) AS started_at, deployed_at, decided_at FROM stages
)
SELECT round, epoch_us(started_at)::DOUBLE AS started_at, epoch_us(deployed_at)::DOUBLE AS deployed_at,
       epoch_us(first_scored_at)::DOUBLE AS first_scored_at, epoch_us(last_scored_at)::DOUBLE AS last_scored_at,
       epoch_us(decided_at)::DOUBLE AS decided_at
FROM timeline LEFT JOIN scored USING (round)
WHERE deployed_at IS NOT NULL AND round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')})
ORDER BY round`,
  );
}

const settingsRow = z.object({
  window_seconds: z.number(),
  watermark_seconds: z.number(),
  future_seconds: z.number(),
  tolerance_celsius: z.number(),
});
export type SettingsRow = z.infer<typeof settingsRow>;

/** What every process of the deployment agreed on. */
export function askSettings(ask: Ask): Promise<Answered<SettingsRow>> {
  return answered(
    ask,
    settingsRow,
    `SELECT window_micros / 1e6 AS window_seconds, watermark_micros / 1e6 AS watermark_seconds,
       future_micros / 1e6 AS future_seconds, tolerance_celsius
FROM stream_settings`,
  );
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
export function askLineage(ask: Ask, versions: readonly VersionId[]): Promise<Answered<LineageRow>> {
  return answered(
    ask,
    lineageRow,
    `SELECT model_version, role, strategy, parents, seed::DOUBLE AS seed, devices::DOUBLE AS devices, stage
FROM model_versions WHERE model_version IN (${listed(versions)}) ORDER BY round, model_version`,
  );
}
