import { UNMEASURED } from '../../../core/backtest/feedback';
import { versionIdSchema } from '../../../core/contracts/ids';
import { storeFeedback } from '../../../core/warehouse/feedback/store';
import { createMetrics, type Registry } from '../../../core/platform/metrics';
import { federatedRoundResultSchema, type FederatedRoundResult } from '../../../core/contracts/rounds';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { METRICS_MAX_PAUSE_MS } from '../../../core/warehouse/limits';
import { registerWarehouseMetrics } from '../../../core/warehouse/metrics';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { saveRound } from '../../../core/warehouse/queries/rounds';
import { T0, temporaryFolder, WINDOW } from './helpers';

let folder: ReturnType<typeof temporaryFolder>;
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  folder = temporaryFolder();
  await open();
});

afterEach(async () => {
  await warehouse.close();
  folder.remove();
});

async function open(): Promise<void> {
  warehouse = await openWarehouse(`${folder.path}/warehouse.duckdb`);
  connection = await warehouse.connect();
}

/** What Prometheus would read, without comments and without the role that all of it has. */
async function scrape(): Promise<string[]> {
  const registry: Registry = createMetrics('analytics');
  registerWarehouseMetrics(registry, connection, warehouse.path);
  const text = await registry.metrics();
  return text
    .split('\n')
    .filter((line) => line.startsWith('fedloop_'))
    .map((line) => line.replace(/,?role="analytics"/, '').replace('{}', ''));
}

function round(number: number): FederatedRoundResult {
  const score = {
    version: `v${number}`,
    evaluations: 1_000,
    correct: 800,
    accuracy: 0.8,
    accuracyCi95: [0.78, 0.82],
    bias: 0,
    mae: 0.6,
    skill: 0.3,
    persistenceAccuracy: 0.65,
  };
  return federatedRoundResultSchema.parse({
    round: number,
    version: `v${number}`,
    champion: `v${number - 1}`,
    decision: 'promoted',
    reason: 'better',
    strategy: 'closed-loop',
    role: 'steady',
    windows: { count: 6, from: T0, until: T0 + 5 * WINDOW },
    candidate: score,
    previousChampion: { ...score, version: `v${number - 1}`, accuracy: 0.77 },
    pairedChange: { mean: 0.03, low: 0.01, high: 0.05 },
    selfReportedAccuracy: 0.9,
    localRealAccuracy: 0.7,
    updates: { trained: 20, used: 18, leftOut: { 'not-finite': 2 } },
    feedbackUsed: {},
  });
}

describe('metrics from the tables', () => {
  it('say nothing that nobody counted', async () => {
    const lines = await scrape();
    expect(lines).toContain('fedloop_rounds_total{decision="promoted"} 0');
    expect(
      lines.filter((line) => /^fedloop_(round_number|latest_window|champion_devices)/.test(line)),
    ).toEqual([]);
  });

  it('show each of the latest rounds, and of all of them as a count that survives a restart', async () => {
    for (let number = 1; number <= 25; number += 1) await saveRound(connection, round(number), 'try-1');
    const before = await scrape();
    expect(before).toContain('fedloop_rounds_total{decision="promoted"} 25');
    expect(before).toContain('fedloop_round_number 25');
    expect(before).toContain('fedloop_round_accuracy_ratio{round="25",measured="champion"} 0.77');
    expect(before).toContain('fedloop_round_accuracy_change_ratio{round="25",estimate="low"} 0.01');
    expect(before).toContain('fedloop_round_devices_left_out{round="25",reason="not-finite"} 2');
    expect(before).toContain('fedloop_round_local_accuracy_ratio{round="25",source="self-reported"} 0.9');
    expect(before.filter((line) => line.startsWith('fedloop_round_info'))).toHaveLength(20);
    await warehouse.close();
    await open();
    const rounds = (lines: readonly string[]): string[] =>
      lines.filter((line) => line.startsWith('fedloop_round'));
    expect(rounds(await scrape())).toEqual(rounds(before));
  });

  it('show precision and recall of the anomalies of each version over its life, and none of a version without any', async () => {
    await connection.run(
      "INSERT INTO model_versions (model_version, round, stage) VALUES ('v1', 1, 'champion'), ('v2', 2, 'candidate')",
    );
    const windows = [
      { model_version: versionIdSchema.parse('v1'), true_positive: 3, false_positive: 1, false_negative: 0 },
      { model_version: versionIdSchema.parse('v1'), true_positive: 5, false_positive: 1, false_negative: 0 },
      { model_version: versionIdSchema.parse('v2'), true_positive: 0, false_positive: 0, false_negative: 0 },
    ];
    await storeFeedback(
      connection,
      windows.map(({ model_version, ...counts }, at) => ({
        ...UNMEASURED,
        scope: 'window' as const,
        model_version,
        window_start: T0 + at * WINDOW,
        window_end: T0 + (at + 1) * WINDOW,
        anomalies: { ...UNMEASURED.anomalies, ...counts, true_negative: 90 },
      })),
    );
    const lines = await scrape();
    expect(lines).toContain('fedloop_model_anomaly_precision_ratio{version="v1",stage="champion"} 0.8');
    expect(lines).toContain('fedloop_model_anomaly_recall_ratio{version="v1",stage="champion"} 1');
    expect(
      lines.filter((line) => /^fedloop_model_anomaly_(precision|recall)_ratio.*"v2"/.test(line)),
    ).toEqual([]);
  });

  it('show how weights are spread over the local models that took part', async () => {
    await saveRound(connection, round(1), 'try-1');
    await connection.run(
      `INSERT INTO local_models (round, attempt, device_id, site, model_version, weight, left_out) VALUES
         (1, 'a', 'd1', 'main', 'v1', 1, NULL), (1, 'a', 'd2', 'main', 'v1', 1, NULL), (1, 'a', 'd3', 'main', 'v1', 4, NULL),
         (1, 'a', 'd4', 'main', 'v1', 0, 'not-finite'), (1, 'b', 'd5', 'main', NULL, 9, NULL)`,
    );
    const lines = await scrape();
    expect(lines).toContain('fedloop_round_aggregation_weight_ratio{round="1",percentile="50"} 0.5');
    expect(lines).toContain('fedloop_round_aggregation_weight_ratio{round="1",percentile="100"} 2');
  });

  it('hold the linear model of a round against the network elected beside it, on the device-windows of both', async () => {
    await connection.run(
      `INSERT INTO model_versions (model_version, round, role, network) VALUES
         ('v3', 3, 'steady', NULL), ('v3-responsive', 3, 'responsive', NULL), ('v3-linear', 3, 'linear', 'steady')`,
    );
    const forecasts = (version: string, devices: number, windows: string, right: number): Promise<unknown> =>
      connection.run(
        `INSERT INTO evaluation_rows SELECT '${version}', 'd' || device, start, start + INTERVAL 30 SECOND, 20, 20, 0, 0,
           device < ${right}, 0.8, 0, false, false, 'steady', start, 0, 1, NULL, NULL, NULL, NULL
         FROM (SELECT device, TIMESTAMP '2020-01-01' + INTERVAL (30 * i) SECOND AS start FROM range(${devices}) AS d(device), ${windows} AS t(i))`,
      );
    await forecasts('v3-linear', 4, 'range(0, 4)', 3);
    await forecasts('v3', 4, 'range(2, 6)', 1);
    await forecasts('v3-responsive', 4, 'range(2, 6)', 4);
    let elapsed = 0;
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => elapsed);
    const registry = createMetrics('analytics');
    registerWarehouseMetrics(registry, connection, warehouse.path);
    const figures = async (): Promise<string[]> => {
      // Scrapes share one reading for a while.
      elapsed += METRICS_MAX_PAUSE_MS;
      return (await registry.metrics()).split('\n').filter((line) => line.startsWith('fedloop_round_linear'));
    };
    expect(await figures()).toEqual([
      expect.stringMatching(/round="3",measured="linear".*} 0\.75$/),
      expect.stringMatching(/round="3",measured="network".*} 0\.25$/),
    ]);
    // What came since counts as well.
    await forecasts('v3-linear', 4, 'range(4, 6)', 1);
    expect(await figures()).toEqual([
      expect.stringMatching(/measured="linear".*} 0\.5$/),
      expect.stringMatching(/measured="network".*} 0\.25$/),
    ]);
    clock.mockRestore();
  });

  it('show what each of several sites brought to each round, by number and without naming it', async () => {
    await connection.run(
      `INSERT INTO contribution_rows SELECT round, 'a', 'v' || round, 'steady', site, device, method, contribution, error, soft, NULL, 0.1, 100
       FROM (VALUES (1, 'secret-lab', '', 'exact', 0.01, 0.002, 0.02), (1, 'secret-lab', '', 'additive', NULL, NULL, 0.5),
                    (1, 'secret-lab', 'device-1', 'additive', NULL, NULL, 0.4),
                    (2, 'secret-lab', '', 'exact', -0.01, 0.002, 0.03), (2, 'a-hospital', '', 'additive', NULL, NULL, 0.04))
         AS rows(round, site, device, method, contribution, error, soft)`,
    );
    const lines = await scrape();
    expect(lines.filter((line) => line.startsWith('fedloop_round_site')).sort()).toEqual([
      'fedloop_round_site_contribution_error_ratio{round="2",site_number="1"} 0.002',
      'fedloop_round_site_contribution_ratio{round="2",site_number="1"} -0.01',
      'fedloop_round_site_soft_contribution_ratio{round="2",site_number="1"} 0.03',
      'fedloop_round_site_soft_contribution_ratio{round="2",site_number="2"} 0.04',
    ]);
    expect(lines.join('\n')).not.toMatch(/secret-lab|a-hospital|device-1/);
  });

  it('sort devices into bands by their accuracy under the champion, and rank the worst without naming them', async () => {
    await connection.run(
      `INSERT INTO model_versions (model_version, round, stage) VALUES ('v1', 1, 'champion'), ('v0', 0, 'retired')`,
    );
    await connection.run(
      `INSERT INTO model_feedback SELECT 'window', NULL, 'v1', TIMESTAMP '2020-01-01' + INTERVAL (30 * i) SECOND,
         TIMESTAMP '2020-01-01' + INTERVAL (30 * i + 30) SECOND, 2, 1, 0.5, 0, 1, 1, 0, 0, 0.5, 'unknown', '{}' FROM range(4) AS t(i)`,
    );
    // good-device is always right; bad-device one time in four, 3 °C too high; rows of other versions do not count.
    await connection.run(
      `INSERT INTO evaluation_rows SELECT version, device, TIMESTAMP '2020-01-01' + INTERVAL (30 * i) SECOND, TIMESTAMP '2020-01-01' + INTERVAL (30 * i + 30) SECOND,
         20, 20, error, error * error, is_correct, 0.8, 1, false, false, 'steady', TIMESTAMP '2020-01-01', 0, 1, NULL, NULL, NULL, NULL
       FROM (SELECT 'v1' AS version, 'good-device' AS device, i, 0.1 AS error, true AS is_correct FROM range(4) AS t(i)
             UNION ALL SELECT 'v1', 'bad-device', i, 3, i = 0 FROM range(4) AS t(i)
             UNION ALL SELECT 'v0', 'old-device', i, 9, false FROM range(4) AS t(i))`,
    );
    await connection.run(`UPDATE model_feedback SET feedback = $feedback`, {
      feedback: JSON.stringify({ ...UNMEASURED, model_version: 'v1' }),
    });
    const lines = await scrape();
    expect(lines).toContain('fedloop_champion_devices{band="20-40"} 1');
    expect(lines).toContain('fedloop_champion_devices{band="80-100"} 1');
    expect(lines).toContain('fedloop_champion_devices{band="40-60"} 0');
    expect(lines).toContain('fedloop_champion_worst_device_mae{rank="1",unit="units"} 3');
    expect(lines).toContain('fedloop_champion_worst_device_accuracy_ratio{rank="1"} 0.25');
    expect(lines.filter((line) => line.startsWith('fedloop_champion_worst_device_mae'))).toHaveLength(2);
    expect(lines.join('\n')).not.toMatch(/(good|bad|old)-device/);
  });

  it('count checks of champions and alarms of drift, and say which alarm stands', async () => {
    await connection.run(
      `INSERT INTO model_versions (model_version, round, stage) VALUES ('v1', 1, 'champion')`,
    );
    await connection.run(
      `INSERT INTO champion_checks SELECT 'v1', 'v0', 6, TIMESTAMP '2020-01-01', TIMESTAMP '2020-01-01' + INTERVAL (i) MINUTE, 0.8, 0.6, 0.8,
         0, 0, 0, 0.2, 0.1, 0.3, 'keep', 'well', CASE i WHEN 1 THEN ['adwin worse', 'page-hinkley worse'] WHEN 2 THEN ['adwin worse'] ELSE [] END, '{}'
       FROM range(3) AS t(i)`,
    );
    const lines = await scrape();
    expect(lines).toContain('fedloop_champion_checks_total{action="keep"} 3');
    expect(lines).toContain('fedloop_champion_checks_total{action="rollback"} 0');
    expect(lines).toContain('fedloop_drift_alarms_total{detector="adwin",change="worse"} 2');
    expect(lines).toContain('fedloop_champion_drift{detector="adwin",change="worse"} 1');
    expect(lines).toContain('fedloop_champion_drift{detector="page-hinkley",change="worse"} 0');
  });
});
