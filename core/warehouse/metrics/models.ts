import { z } from 'zod';
import { isInForce, stageSchema } from '../../contracts/deployments';
import { feedbackSchema, type Feedback } from '../../contracts/feedback';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { jsonText } from '../../contracts/validation';
import { type SerialConnection } from '../database/connection';
import { VERSIONS_WITH_METRICS } from '../limits';
import { lifetimeScores } from '../queries/rounds';
import { storedTarget, unitLabel } from './task';
import { counter, gauge, type Put, type TableFigures } from './table-figures';

const BY_VERSION = ['version', 'stage'] as const;

const FIGURES = {
  fedloop_model_accuracy_ratio: gauge(
    'Share of forecasts within the tolerance: in the latest complete window, or over everything measured.',
    ...BY_VERSION,
    'scope',
  ),
  fedloop_model_served_accuracy_ratio: gauge(
    'Share of forecasts as served, with what devices have learnt, within the tolerance, over everything measured.',
    ...BY_VERSION,
  ),
  fedloop_model_persistence_accuracy_ratio: gauge(
    'Accuracy that forecasting no change would have had on the same device-windows.',
    ...BY_VERSION,
    'scope',
  ),
  fedloop_model_advantage_ratio: gauge(
    'Accuracy minus that of persistence on the same device-windows.',
    ...BY_VERSION,
    'scope',
  ),
  fedloop_model_evaluations_total: counter(
    'Forecasts compared with what came, over everything measured.',
    'version',
  ),
  fedloop_model_skill_ratio: gauge(
    '1 - MAE / MAE of persistence in the latest complete window.',
    ...BY_VERSION,
  ),
  fedloop_model_mae: gauge(
    "Mean absolute error in the latest complete window, in the target's unit.",
    ...BY_VERSION,
    'unit',
  ),
  fedloop_model_rmse: gauge(
    "Root mean squared error in the latest complete window, in the target's unit.",
    ...BY_VERSION,
    'unit',
  ),
  fedloop_model_bias: gauge(
    "Mean of forecast - actual in the latest complete window, in the target's unit.",
    ...BY_VERSION,
    'unit',
  ),
  fedloop_model_calibration_error_ratio: gauge(
    'Expected calibration error of stated confidence in the latest complete window.',
    ...BY_VERSION,
  ),
  fedloop_model_regime_accuracy_ratio: gauge(
    'Accuracy by regime in the latest complete window.',
    ...BY_VERSION,
    'regime',
  ),
  fedloop_model_anomaly_flags: gauge(
    'Device-windows of the latest complete window by predicted against actual anomaly.',
    ...BY_VERSION,
    'outcome',
  ),
  fedloop_model_anomaly_precision_ratio: gauge(
    'Part of the predicted anomalies that were actual ones, over the life of the version, where that is known.',
    ...BY_VERSION,
  ),
  fedloop_model_anomaly_recall_ratio: gauge(
    'Part of the actual anomalies that were predicted, over the life of the version, where they are known.',
    ...BY_VERSION,
  ),
  fedloop_model_info: gauge(
    'A version that was deployed, with its stage and how it came to be; always 1.',
    ...BY_VERSION,
    'round',
    'strategy',
    'candidate',
  ),
  fedloop_champion_info: gauge('The version that serves; always 1.', 'version'),
  fedloop_model_stage_timestamp_seconds: gauge(
    'When the version last entered the stage, in seconds since 1970.',
    ...BY_VERSION,
  ),
};

type PutModel = Put<keyof typeof FIGURES>;

const versionRow = z.object({
  version: versionIdSchema,
  stage: stageSchema,
  round: z.int().nullable(),
  strategy: z.string().nullable(),
  role: z.string().nullable(),
});
type KnownVersion = z.infer<typeof versionRow>;

const changeRow = z.object({ version: versionIdSchema, stage: stageSchema, seconds: z.number() });
const feedbackRow = z.object({ feedback: jsonText(feedbackSchema) });

const anomaliesRow = z.object({
  version: versionIdSchema,
  actual: z.number(),
  found: z.number(),
  predicted: z.number(),
});

/** Anomalies of all windows so far; predicted ones of which nobody knows do not count. */
const ANOMALIES = `SELECT model_version AS version,
         sum(found)::DOUBLE AS found, sum(found + missed)::DOUBLE AS actual, sum(found + false_alarms)::DOUBLE AS predicted
  FROM (SELECT model_version, (feedback->'anomalies'->>'true_positive')::BIGINT AS found,
               (feedback->'anomalies'->>'false_positive')::BIGINT AS false_alarms,
               (feedback->'anomalies'->>'false_negative')::BIGINT AS missed
        FROM model_feedback WHERE scope = 'window')
  GROUP BY model_version`;

/** Feedback on the latest window: a version that left before it has none any more, and its curve ends. */
const LATEST_FEEDBACK = `SELECT feedback FROM model_feedback
  WHERE scope = 'window' AND window_start = (SELECT max(window_start) FROM model_feedback WHERE scope = 'window')
  QUALIFY row_number() OVER (PARTITION BY model_version) = 1`;

/** Accuracy of each version on the live stream. */
export function modelFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(FIGURES, async (put) => {
    const versions = versionsWithMetrics(await knownVersions(connection));
    for (const known of versions.values()) putVersion(put, known);
    const changes = await connection.rows(
      changeRow,
      'SELECT model_version AS version, stage, epoch(max(staged_at)) AS seconds FROM model_stages GROUP BY ALL',
    );
    for (const { version, stage, seconds } of changes)
      if (versions.has(version)) put('fedloop_model_stage_timestamp_seconds', seconds, version, stage);
    for (const {
      version,
      accuracy,
      servedAccuracy,
      persistenceAccuracy,
      evaluations,
    } of await lifetimeScores(connection)) {
      const known = versions.get(version);
      if (known === undefined) continue;
      putAccuracy(put, known, 'lifetime', accuracy, persistenceAccuracy);
      put('fedloop_model_served_accuracy_ratio', servedAccuracy, version, known.stage);
      put('fedloop_model_evaluations_total', evaluations, version);
    }
    for (const counts of await connection.rows(anomaliesRow, ANOMALIES)) {
      const known = versions.get(counts.version);
      if (known !== undefined) putAnomalies(put, known, counts);
    }
    const unit = unitLabel(await storedTarget(connection));
    for (const { feedback } of await connection.rows(feedbackRow, LATEST_FEEDBACK)) {
      const known = versions.get(feedback.model_version);
      if (known !== undefined) putWindow(put, known, feedback, unit);
    }
  });
}

/** A share of nothing is not put. */
function putAnomalies(
  put: PutModel,
  { version, stage }: KnownVersion,
  { actual, found, predicted }: z.infer<typeof anomaliesRow>,
): void {
  put('fedloop_model_anomaly_precision_ratio', predicted === 0 ? null : found / predicted, version, stage);
  put('fedloop_model_anomaly_recall_ratio', actual === 0 ? null : found / actual, version, stage);
}

function putVersion(put: PutModel, { version, stage, round, strategy, role }: KnownVersion): void {
  const labels = [version, stage, String(round ?? 0), strategy ?? 'unknown', role ?? 'only'];
  put('fedloop_model_info', 1, ...labels);
  if (stage === 'champion') put('fedloop_champion_info', 1, version);
}

function putAccuracy(
  put: PutModel,
  { version, stage }: KnownVersion,
  scope: 'lifetime' | 'window',
  accuracy: number,
  persistence: number,
): void {
  put('fedloop_model_accuracy_ratio', accuracy, version, stage, scope);
  put('fedloop_model_persistence_accuracy_ratio', persistence, version, stage, scope);
  put('fedloop_model_advantage_ratio', accuracy - persistence, version, stage, scope);
}

function putWindow(put: PutModel, known: KnownVersion, feedback: Feedback, unit: string): void {
  const labels = [known.version, known.stage];
  putAccuracy(put, known, 'window', feedback.accuracy, feedback.persistence_accuracy);
  put('fedloop_model_skill_ratio', feedback.skill, ...labels);
  put('fedloop_model_mae', feedback.mae, ...labels, unit);
  put('fedloop_model_rmse', feedback.rmse, ...labels, unit);
  put('fedloop_model_bias', feedback.bias, ...labels, unit);
  put('fedloop_model_calibration_error_ratio', feedback.calibration, ...labels);
  for (const [regime, counts] of Object.entries(feedback.by_regime))
    put('fedloop_model_regime_accuracy_ratio', counts.accuracy, ...labels, regime);
  for (const [outcome, count] of Object.entries(feedback.anomalies))
    if (typeof count === 'number') put('fedloop_model_anomaly_flags', count, ...labels, outcome);
}

/** Every version with a stage, oldest first. */
function knownVersions(connection: SerialConnection): Promise<KnownVersion[]> {
  return connection.rows(
    versionRow,
    `SELECT model_version AS version, stage, round, strategy, role FROM model_versions WHERE stage IS NOT NULL
     ORDER BY round NULLS FIRST, model_version`,
  );
}

/** Those in force, and the latest others: labels must not grow for ever. */
function versionsWithMetrics(versions: readonly KnownVersion[]): ReadonlyMap<VersionId, KnownVersion> {
  const inForce = versions.filter(({ stage }) => isInForce(stage));
  return new Map(
    [...inForce, ...versions.slice(-VERSIONS_WITH_METRICS)].map((known) => [known.version, known]),
  );
}
