import { z } from 'zod';
import { isInForce, stageSchema, type Stage } from '../../contracts/deployments';
import { feedbackSchema, type Feedback } from '../../contracts/feedback';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { type SerialConnection } from '../database/connection';
import { VERSIONS_WITH_METRICS } from '../limits';
import { scoreboard, type ScoreboardLine } from '../queries/rounds';
import { type TableFigures } from './table-figures';

/** What each version is worth on the live stream. */
export function modelFigures(figures: TableFigures, connection: SerialConnection): void {
  const writeAccuracy = accuracyFigures(figures);
  const writeErrors = errorFigures(figures);
  const writeVersions = versionFigures(figures);
  figures.read(async () => {
    const board = await scoreboard(connection);
    const windows = await latestFeedback(connection);
    const versions = await knownVersions(connection);
    const changes = await stageChanges(connection);
    const shown = versionsWithMetrics(versions);
    const stageOf = (version: VersionId): string =>
      versions.find((known) => known.version === version)?.stage ?? 'unknown';
    const lifetimes = board.filter(({ version }) => shown.has(version));
    const latest = windows.filter(({ model_version }) => shown.has(model_version));
    return () => {
      writeAccuracy(lifetimes, latest, stageOf);
      writeErrors(latest, stageOf);
      writeVersions(
        versions.filter(({ version }) => shown.has(version)),
        changes.filter(({ version }) => shown.has(version)),
      );
    };
  });
}

const BY_VERSION = ['version', 'stage'] as const;

type StageOf = (version: VersionId) => string;

function accuracyFigures(
  figures: TableFigures,
): (lifetimes: readonly ScoreboardLine[], latest: readonly Feedback[], stageOf: StageOf) => void {
  const labels = [...BY_VERSION, 'scope'];
  const accuracy = figures.gauge(
    'fedloop_model_accuracy_ratio',
    'Share of forecasts within the tolerance: in the latest complete window, or over everything measured.',
    labels,
  );
  const persistence = figures.gauge(
    'fedloop_model_persistence_accuracy_ratio',
    'Accuracy that forecasting no change would have had on the same device-windows.',
    labels,
  );
  const advantage = figures.gauge(
    'fedloop_model_advantage_ratio',
    'Accuracy minus that of persistence on the same device-windows; drift is looked for in the champion’s.',
    labels,
  );
  const evaluations = figures.counter(
    'fedloop_model_evaluations_total',
    'Forecasts compared with what came, over everything measured.',
    ['version'],
  );
  return (lifetimes, latest, stageOf) => {
    const measured = [
      ...lifetimes.map((line) => ({
        version: line.version,
        scope: 'lifetime',
        share: line.accuracy,
        floor: line.persistenceAccuracy,
      })),
      ...latest.map((said) => ({
        version: said.model_version,
        scope: 'window',
        share: said.accuracy,
        floor: said.persistence_accuracy,
      })),
    ];
    for (const { version, scope, share, floor } of measured) {
      const of = { version, stage: stageOf(version), scope };
      accuracy.set(of, share);
      persistence.set(of, floor);
      advantage.set(of, share - floor);
    }
    for (const line of lifetimes) evaluations.set({ version: line.version }, line.evaluations);
  };
}

function errorFigures(figures: TableFigures): (latest: readonly Feedback[], stageOf: StageOf) => void {
  const skill = figures.gauge(
    'fedloop_model_skill_ratio',
    '1 - MAE / MAE of persistence in the latest complete window.',
    BY_VERSION,
  );
  const mae = figures.gauge(
    'fedloop_model_mae_celsius',
    'Mean absolute error in the latest complete window.',
    BY_VERSION,
  );
  const rmse = figures.gauge(
    'fedloop_model_rmse_celsius',
    'Root mean squared error in the latest complete window.',
    BY_VERSION,
  );
  const bias = figures.gauge(
    'fedloop_model_bias_celsius',
    'Mean of forecast - actual in the latest complete window.',
    BY_VERSION,
  );
  const calibration = figures.gauge(
    'fedloop_model_calibration_error_ratio',
    'Expected calibration error of stated confidence in the latest complete window.',
    BY_VERSION,
  );
  const regimes = figures.gauge(
    'fedloop_model_regime_accuracy_ratio',
    'Accuracy by regime in the latest complete window.',
    [...BY_VERSION, 'regime'],
  );
  const anomalies = figures.gauge(
    'fedloop_model_anomaly_flags',
    'Device-windows of the latest complete window by predicted against actual anomaly.',
    [...BY_VERSION, 'outcome'],
  );
  return (latest, stageOf) => {
    for (const said of latest) {
      const of = { version: said.model_version, stage: stageOf(said.model_version) };
      if (said.skill !== null) skill.set(of, said.skill);
      mae.set(of, said.mae);
      rmse.set(of, said.rmse);
      bias.set(of, said.bias);
      calibration.set(of, said.calibration);
      for (const [regime, counts] of Object.entries(said.by_regime)) {
        if (counts.accuracy !== null) regimes.set({ ...of, regime }, counts.accuracy);
      }
      for (const [outcome, count] of Object.entries(said.anomalies)) {
        if (typeof count === 'number') anomalies.set({ ...of, outcome }, count);
      }
    }
  };
}

function versionFigures(
  figures: TableFigures,
): (versions: readonly KnownVersion[], changes: readonly StageTime[]) => void {
  const info = figures.gauge(
    'fedloop_model_info',
    'A version that was deployed, with its stage and how it came to be; always 1.',
    [...BY_VERSION, 'round', 'strategy', 'candidate'],
  );
  const champion = figures.gauge('fedloop_champion_info', 'The version that serves; always 1.', ['version']);
  const since = figures.gauge(
    'fedloop_model_stage_timestamp_seconds',
    'When the version last entered the stage, in seconds since 1970.',
    BY_VERSION,
  );
  return (versions, changes) => {
    for (const { version, stage, round, strategy, role } of versions) {
      info.set(
        {
          version,
          stage,
          round: String(round ?? 0),
          strategy: strategy ?? 'unknown',
          candidate: role ?? 'only',
        },
        1,
      );
      if (stage === 'champion') champion.set({ version }, 1);
    }
    for (const { version, stage, at } of changes) since.set({ version, stage }, at / 1e6);
  };
}

interface KnownVersion {
  readonly version: VersionId;
  readonly stage: Stage;
  readonly round: number | null;
  readonly strategy: string | null;
  readonly role: string | null;
}

interface StageTime {
  readonly version: VersionId;
  readonly stage: Stage;
  /** Microseconds since 1970. */
  readonly at: number;
}

const versionRow = z.object({
  version: versionIdSchema,
  stage: stageSchema,
  round: z.int().nullable(),
  strategy: z.string().nullable(),
  role: z.string().nullable(),
});
const changeRow = z.object({ version: versionIdSchema, stage: stageSchema, at: z.int() });
const feedbackRow = z.object({
  feedback: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(feedbackSchema),
});

/** Every version with a stage, oldest first. */
function knownVersions(connection: SerialConnection): Promise<KnownVersion[]> {
  return connection.rows(
    versionRow,
    `SELECT model_version AS version, stage, round, strategy, role FROM model_versions WHERE stage IS NOT NULL
     ORDER BY round NULLS FIRST, model_version`,
  );
}

function stageChanges(connection: SerialConnection): Promise<StageTime[]> {
  return connection.rows(
    changeRow,
    'SELECT model_version AS version, stage, max(staged_at) AS at FROM model_stages GROUP BY ALL',
  );
}

/** Those in force, and the latest others: labels must not grow for ever. */
function versionsWithMetrics(versions: readonly KnownVersion[]): Set<VersionId> {
  const inForce = versions.filter(({ stage }) => isInForce(stage));
  return new Set([...inForce, ...versions.slice(-VERSIONS_WITH_METRICS)].map(({ version }) => version));
}

/** What was said of the latest window: of a version that left before it nothing is said any more, and its curve ends. */
async function latestFeedback(connection: SerialConnection): Promise<Feedback[]> {
  const rows = await connection.rows(
    feedbackRow,
    `SELECT feedback FROM model_feedback
     WHERE scope = 'window' AND window_start = (SELECT max(window_start) FROM model_feedback WHERE scope = 'window')
     QUALIFY row_number() OVER (PARTITION BY model_version) = 1`,
  );
  return rows.map(({ feedback }) => feedback);
}
