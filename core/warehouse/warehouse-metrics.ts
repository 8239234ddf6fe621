import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { feedbackSchema, type Feedback } from '../contracts/feedback';
import { isInForce, stageSchema } from '../contracts/deployments';
import { versionIdSchema, type VersionId } from '../contracts/ids';
import { Counter, Gauge, Histogram, type Registry } from '../platform/metrics';
import { type SerialConnection } from './connection';
import { METRICS_MIN_INTERVAL_MS, VERSIONS_WITH_METRICS } from './limits';
import { scoreboard, selfReports } from './rounds';
import { type SinkReport } from './sink';

/** Figures that are counted while the process runs. */
export interface WarehouseMetrics {
  stored(report: SinkReport, seconds: number, nowMillis: number): void;
}

/**
 * Metrics of this room. What the models are worth is read from the tables at every scrape, so that a restart changes no
 * curve; what the process does is counted as it goes.
 */
export function registerWarehouseMetrics(
  registry: Registry,
  connection: SerialConnection,
  path: string,
): WarehouseMetrics {
  registerTableMetrics(registry, connection, path);
  const registers = [registry];
  const rows = new Counter({
    name: 'fedloop_sink_rows_total',
    help: 'Rows stored in DuckDB, by table.',
    labelNames: ['table'],
    registers,
  });
  const blocks = new Counter({
    name: 'fedloop_sink_blocks_total',
    help: 'Blocks of results by what became of them; a gap is a block that never came before a stored one.',
    labelNames: ['outcome'],
    registers,
  });
  const invalid = new Counter({
    name: 'fedloop_sink_invalid_messages_total',
    help: 'Messages that could not be understood and were passed over.',
    registers,
  });
  const seconds = new Histogram({
    name: 'fedloop_sink_transaction_seconds',
    help: 'Time of one transaction of the sink.',
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const size = new Histogram({
    name: 'fedloop_sink_transaction_rows',
    help: 'Rows in one transaction of the sink.',
    buckets: [1, 10, 100, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000],
    registers,
  });
  const latency = new Histogram({
    name: 'fedloop_sink_latency_seconds',
    help: 'Time from a block in Kafka, written when its window closed, to its readable rows.',
    buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers,
  });
  return {
    stored(report, took, nowMillis) {
      rows.inc({ table: 'stream_analysis_results' }, report.rows.analysis);
      rows.inc({ table: 'model_evaluations' }, report.rows.evaluations);
      rows.inc({ table: 'rejected_rows' }, report.rows.rejects);
      blocks.inc({ outcome: 'stored' }, report.blocks.stored);
      blocks.inc({ outcome: 'stored-before' }, report.blocks.storedBefore);
      blocks.inc({ outcome: 'older-epoch' }, report.blocks.olderEpoch);
      blocks.inc({ outcome: 'gap' }, report.blocks.gaps);
      invalid.inc(report.invalid.count);
      seconds.observe(took);
      size.observe(report.rows.analysis + report.rows.evaluations + report.rows.rejects);
      for (const written of report.blockMillis) latency.observe(Math.max(0, nowMillis - written) / 1_000);
    },
  };
}

function registerTableMetrics(registry: Registry, connection: SerialConnection, path: string): void {
  const registers = [registry];
  const byVersion = ['version', 'stage'] as const;
  const gauge = (name: string, help: string, labels: readonly string[] = byVersion): Gauge =>
    new Gauge({ name, help, labelNames: [...labels], registers, collect: () => refresh() });

  const accuracy = gauge(
    'fedloop_model_accuracy_ratio',
    'Share of forecasts within the tolerance: in the latest complete window, or over everything measured.',
    [...byVersion, 'scope'],
  );
  const persistence = gauge(
    'fedloop_model_persistence_accuracy_ratio',
    'Accuracy that forecasting no change would have had on the same device-windows, over everything measured.',
  );
  const evaluations = gauge(
    'fedloop_model_evaluations',
    'Forecasts compared with what came, over everything measured.',
  );
  const skill = gauge(
    'fedloop_model_skill_ratio',
    '1 - MAE / MAE of persistence in the latest complete window.',
  );
  const mae = gauge('fedloop_model_mae_celsius', 'Mean absolute error in the latest complete window.');
  const rmse = gauge('fedloop_model_rmse_celsius', 'Root mean squared error in the latest complete window.');
  const bias = gauge(
    'fedloop_model_bias_celsius',
    'Mean of forecast - actual in the latest complete window.',
  );
  const calibration = gauge(
    'fedloop_model_calibration_error_ratio',
    'Expected calibration error of stated confidence in the latest complete window.',
  );
  const regimes = gauge(
    'fedloop_model_regime_accuracy_ratio',
    'Accuracy by regime in the latest complete window.',
    [...byVersion, 'regime'],
  );
  const anomalies = gauge(
    'fedloop_model_anomaly_flags',
    'Device-windows of the latest complete window by predicted against actual anomaly.',
    [...byVersion, 'outcome'],
  );
  const claimed = gauge(
    'fedloop_local_models_self_reported_accuracy_ratio',
    'Mean accuracy that the local models of the latest round said of themselves.',
    [],
  );
  const real = gauge(
    'fedloop_local_models_real_accuracy_ratio',
    'Mean accuracy of the local models of the latest round on devices that did not train.',
    [],
  );
  const champion = gauge('fedloop_champion_info', 'The version that serves; always 1.', ['version']);
  const rounds = gauge('fedloop_rounds', 'Rounds with a result, by decision.', ['decision']);
  const rejected = gauge('fedloop_rejected_rows', 'Rows kept in rejected_rows, by source and reason.', [
    'source',
    'reason',
  ]);
  const batchFiles = gauge('fedloop_batch_files', 'Files that batch results are made of.', []);
  const batchRows = gauge('fedloop_batch_rows', 'Readings in those files.', []);
  const batchRejected = gauge('fedloop_batch_rejected_rows', 'Broken rows in those files.', []);
  const bytes = gauge('fedloop_warehouse_bytes', 'Size of the DuckDB file.', []);

  let latest: Promise<void> | undefined;
  let freshUntil = 0;
  /** Every gauge asks before it is read; one look into the tables serves them all. */
  function refresh(): Promise<void> {
    if (latest === undefined || performance.now() >= freshUntil) {
      latest = lookIntoTables();
      freshUntil = performance.now() + METRICS_MIN_INTERVAL_MS;
    }
    return latest;
  }

  async function lookIntoTables(): Promise<void> {
    const board = await scoreboard(connection);
    const windows = await latestFeedback(connection);
    const stages = await stagesOf(connection);
    const shown = versionsWithMetrics([...stages]);
    for (const metric of [
      accuracy,
      persistence,
      evaluations,
      skill,
      mae,
      rmse,
      bias,
      calibration,
      regimes,
      anomalies,
      champion,
    ]) {
      metric.reset();
    }
    for (const line of board) {
      if (!shown.has(line.version)) continue;
      const labels = { version: line.version, stage: line.stage ?? 'unknown' };
      accuracy.set({ ...labels, scope: 'lifetime' }, line.accuracy);
      persistence.set(labels, line.persistenceAccuracy);
      evaluations.set(labels, line.evaluations);
    }
    for (const said of windows) {
      const stage = stages.get(said.model_version) ?? 'unknown';
      if (!shown.has(said.model_version)) continue;
      const labels = { version: said.model_version, stage };
      accuracy.set({ ...labels, scope: 'window' }, said.accuracy);
      if (said.skill !== null) skill.set(labels, said.skill);
      mae.set(labels, said.mae);
      rmse.set(labels, said.rmse);
      bias.set(labels, said.bias);
      calibration.set(labels, said.calibration);
      for (const [regime, counts] of Object.entries(said.by_regime)) {
        if (counts.accuracy !== null) regimes.set({ ...labels, regime }, counts.accuracy);
      }
      for (const [outcome, count] of Object.entries(said.anomalies)) {
        if (typeof count === 'number') anomalies.set({ ...labels, outcome }, count);
      }
    }
    for (const [version, stage] of stages) if (stage === 'champion') champion.set({ version }, 1);
    const report = (await selfReports(connection)).at(-1);
    if (report?.selfReportedAccuracy != null) claimed.set(report.selfReportedAccuracy);
    if (report?.realAccuracy != null) real.set(report.realAccuracy);
    await countTables();
  }

  async function countTables(): Promise<void> {
    rounds.reset();
    for (const { label, n } of await connection.rows(
      countRow,
      'SELECT decision AS label, count(*) AS n FROM federated_rounds GROUP BY decision',
    )) {
      rounds.set({ decision: label }, n);
    }
    for (const { source, reason, n } of await connection.rows(
      rejectedRow,
      'SELECT source, reason, count(*) AS n FROM rejected_rows GROUP BY ALL',
    )) {
      rejected.set({ source, reason }, n);
    }
    const [batch] = await connection.rows(
      batchRow,
      'SELECT count(*) AS files, coalesce(sum(rows), 0) AS rows, coalesce(sum(rejected), 0) AS rejected FROM batch_files',
    );
    batchFiles.set(batch?.files ?? 0);
    batchRows.set(batch?.rows ?? 0);
    batchRejected.set(batch?.rejected ?? 0);
    const file = await stat(path).catch(() => undefined);
    bytes.set(file?.size ?? 0);
  }
}

const countRow = z.object({ label: z.string(), n: z.int() });
const rejectedRow = z.object({ source: z.string(), reason: z.string(), n: z.int() });
const batchRow = z.object({ files: z.int(), rows: z.int(), rejected: z.int() });
const stageRow = z.object({ model_version: versionIdSchema, stage: stageSchema });
const feedbackRow = z.object({
  feedback: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(feedbackSchema),
});

/** Stage of every version, oldest first. */
async function stagesOf(connection: SerialConnection): Promise<Map<VersionId, z.infer<typeof stageSchema>>> {
  const rows = await connection.rows(
    stageRow,
    'SELECT model_version, stage FROM model_versions WHERE stage IS NOT NULL ORDER BY round NULLS FIRST, model_version',
  );
  return new Map(rows.map(({ model_version, stage }) => [model_version, stage]));
}

/** Those in force, and the latest others: labels must not grow for ever. */
function versionsWithMetrics(
  stages: readonly (readonly [VersionId, z.infer<typeof stageSchema>])[],
): Set<VersionId> {
  const inForce = stages.filter(([, stage]) => isInForce(stage));
  return new Set([...inForce, ...stages.slice(-VERSIONS_WITH_METRICS)].map(([version]) => version));
}

/** What was said of each version's latest window. */
async function latestFeedback(connection: SerialConnection): Promise<Feedback[]> {
  const rows = await connection.rows(
    feedbackRow,
    `SELECT arg_max(feedback, window_start) AS feedback FROM model_feedback WHERE scope = 'window' GROUP BY model_version`,
  );
  return rows.map(({ feedback }) => feedback);
}
