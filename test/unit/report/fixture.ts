import { type AnalysisBlock, type EvaluationBlock } from '../../../core/contracts/blocks';
import { type StreamSettings } from '../../../core/contracts/settings';
import { versionIdSchema } from '../../../core/contracts/ids';
import { type FederatedRoundResult } from '../../../core/contracts/rounds';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { saveRound } from '../../../core/warehouse/queries/rounds';
import { Sink } from '../../../core/warehouse/sink/sink';
import { seededRandom } from '../../../core/platform/random';
import {
  agreeOnSettings,
  analysisBlock,
  batch,
  evaluationBlock,
  record,
  T0,
  WINDOW,
  type EvaluationRow,
} from '../warehouse/helpers';

/** A device name as somebody with bad intentions would choose it. */
export const HOSTILE = `"><script src="http://evil.example/x.js"></script>'& -- </svg>`;

export const DEVICES = [HOSTILE, ...Array.from({ length: 11 }, (_, index) => `sensor-${index}`)];
const WINDOWS = 8;
const REGIMES = ['rising', 'falling', 'steady'] as const;

/** A round's row as the warehouse keeps it. */
function roundResult(round: number, decision: FederatedRoundResult['decision']): FederatedRoundResult {
  const version = versionIdSchema.parse(`v${round}`);
  const champion = versionIdSchema.parse(`v${round - 1}`);
  const score = {
    evaluations: 48,
    correct: 30,
    accuracy: 0.625,
    accuracyCi95: [0.5, 0.75] as [number, number],
    bias: 0.1,
    mae: 0.9,
    skill: 0.2,
    persistenceAccuracy: 0.5,
  };
  return {
    round,
    version,
    champion,
    decision,
    reason: 'because of the windows',
    strategy: 'closed-loop',
    role: 'steady',
    windows: { count: 4, from: T0 + (round - 1) * 4 * WINDOW, until: T0 + (round * 4 - 1) * WINDOW },
    candidate: { ...score, version },
    previousChampion: { ...score, version: champion, accuracy: 0.5 },
    pairedChange: { mean: 0.125, low: 0.05, high: 0.2 },
    selfReportedAccuracy: 0.9,
    localRealAccuracy: 0.7,
    selfReportGap: null,
    updates: { trained: 10, used: 9, leftOut: { 'worse-than-median': 1 } },
    feedbackUsed:
      round === 1
        ? { champion: null, emphasis: 'all samples alike: nothing was measured yet' }
        : {
            champion,
            champion_accuracy: 0.5123,
            champion_bias: -0.31,
            emphasis: 'samples near the boundary between right and wrong',
            edge_width: 0.69,
            some_new_effect: '<b>bold</b>',
          },
  };
}

/** A fleet that is not the default one: its settings, and about where its target lies. */
export interface OtherFleet {
  readonly settings: StreamSettings;
  readonly level: number;
}

/**
 * Two rounds over eight windows of twelve devices: rows through the sink, as the analytics worker would have stored them. Errors are a
 * few tolerances large.
 */
export async function reportFixture(
  fleet?: OtherFleet,
): Promise<{ warehouse: Warehouse; connection: SerialConnection }> {
  const warehouse = await openWarehouse(':memory:');
  const connection = await warehouse.connect();
  await agreeOnSettings(connection, fleet?.settings);
  const sink = await Sink.open(connection, fleet?.settings.task);
  const random = seededRandom(7, 'report');
  for (let window = 0; window < WINDOWS; window += 1) {
    const versions = window < 4 ? ['v0', 'v1'] : ['v1', 'v2'];
    const rows = versions.flatMap((version, newer) =>
      DEVICES.map((device, index): EvaluationRow => ({
        version,
        device,
        error: (random.uniform() - 0.5) * (newer === 0 ? 4 : 3) * (index === 0 ? 5 : 1),
        confidence: random.uniform(),
        persistence: (random.uniform() - 0.5) * 4,
        predicted: random.uniform() < 0.1 ? 1 : 0,
        actual: index % 5 === 0 ? 1 : index % 5 === 1 ? null : 0,
        regime: REGIMES[index % 3]!,
      })),
    );
    await sink.store([
      batch('analysis', 0, [record(window, analysisOf(fleet, analysisBlock({ window }, DEVICES)))]),
      batch('evaluations', 0, [record(window, evaluationsOf(fleet, evaluationBlock({ window }, rows)))]),
    ]);
  }
  await saveRound(connection, roundResult(1, 'promoted'), 'try-1');
  await saveRound(connection, roundResult(2, 'promoted'), 'try-1');
  await connection.run(`INSERT INTO model_versions (model_version, round, role, strategy, parents, seed, devices, stage) VALUES
    ('v0', 0, NULL, 'none', [], 1, 0, 'retired'), ('v1', 1, 'steady', 'closed-loop', ['v0'], 1, 9, 'shadow'),
    ('v2', 2, 'steady', 'closed-loop', ['v1'], 1, 9, 'champion')`);
  await connection.run(`INSERT INTO model_stages (log_offset, model_version, stage, round, not_before, reason, staged_at) VALUES
    (1, 'v0', 'champion', 0, NULL, 'first', '2026-01-01 00:00:00'),
    (2, 'v1', 'candidate', 1, NULL, 'made', '2026-01-01 00:00:05'), (3, 'v1', 'champion', 1, NULL, 'better', '2026-01-01 00:00:20'),
    (4, 'v2', 'candidate', 2, NULL, 'made', '2026-01-01 00:00:24'), (5, 'v2', 'champion', 2, NULL, 'better', '2026-01-01 00:01:30')`);
  await connection.run(`INSERT INTO local_models (round, attempt, device_id, site, model_version, self_reported_accuracy, real_accuracy)
    SELECT round, 'a', 'sensor-' || device, 'main', 'v' || round, 0.8 + device / 100, 0.6 + device / 50
    FROM range(1, 3) AS rounds(round), range(0, 10) AS devices(device)`);
  // Two sites and their devices: sensor-0 harms both rounds, and the others help a little.
  await connection.run(`INSERT INTO contribution_rows
    SELECT round, 'a', 'v' || round, 'steady', site, '', 'exact', 0.002 * round, 0.001, 0.003, 0.001, 0.5, 500
    FROM range(1, 3) AS rounds(round), (VALUES ('main'), ('north')) AS sites(site)
    UNION ALL
    SELECT round, 'a', 'v' || round, 'steady', 'main', 'sensor-' || device, 'additive', NULL, NULL,
           CASE device WHEN 0 THEN -0.0009 ELSE 0.0001 * device END, NULL, 0.1, 100
    FROM range(1, 3) AS rounds(round), range(0, 10) AS devices(device)`);
  return { warehouse, connection };
}

/** The same rows in the fleet's unit. */
function analysisOf(fleet: OtherFleet | undefined, block: AnalysisBlock): AnalysisBlock {
  if (fleet === undefined) return block;
  const columns = { ...block.columns };
  delete columns['humidity_avg'];
  delete columns['pressure_avg'];
  const inUnit = (values: readonly number[]): number[] =>
    values.map((value) => fleet.level + (value - 20) * fleet.settings.task.target.tolerance);
  const { avg, min, max } = columns;
  return { ...block, columns: { ...columns, avg: inUnit(avg), min: inUnit(min), max: inUnit(max) } };
}

function evaluationsOf(fleet: OtherFleet | undefined, block: EvaluationBlock): EvaluationBlock {
  if (fleet === undefined) return block;
  const { tolerance } = fleet.settings.task.target;
  const { error, loss, persistence_error: persistence, actual_result: actual } = block.columns;
  const columns = {
    ...block.columns,
    prediction_result: error.map((value) => fleet.level + value * tolerance),
    actual_result: actual.map(() => fleet.level),
    error: error.map((value) => value * tolerance),
    loss: loss.map((value) => value * tolerance ** 2),
    persistence_error: persistence.map((value) => value * tolerance),
  };
  return { ...block, columns };
}
