import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { renderStatus } from '../../../cli/actions/status';
import { tableReport } from '../../../cli/actions/replay-output';
import { renderBoard } from '../../../cli/actions/watch';
import { dashboardFileSchema } from '../../../cli/dashboard/dashboard-file';
import { renderPage } from '../../../cli/dashboard/page';
import { drawDashboard } from '../../../cli/dashboard/preview';
import { type Prometheus, type Series } from '../../../cli/dashboard/prometheus';
import { renderResults } from '../../../cli/demo/table';
import { queryConnection } from '../../../cli/query/query-file';
import { collectReport } from '../../../cli/report/collect';
import { renderReport } from '../../../cli/report/page';
import { collectEvidence } from '../../../cli/results/collect';
import { resultsOf } from '../../../cli/results/summary';
import { readResults } from '../../../cli/status/results-status';
import { type SystemStatus } from '../../../cli/status/system-status';
import { UNMEASURED } from '../../../core/backtest/feedback';
import { deploymentFileSchema, planDeployment } from '../../../core/contracts/deployment-file';
import { createMetrics } from '../../../core/platform/metrics';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { type Warehouse } from '../../../core/warehouse/database/open';
import { registerWarehouseMetrics } from '../../../core/warehouse/metrics';
import { DEFAULT_FLEET } from '../../../core/contracts/ids';
import { zeroCounts } from '../../../core/stream/windows/counts';
import { queryTarget } from '../../../core/warehouse/queries/target';
import { analysisBlock, evaluationBlock, T0, WINDOW } from '../warehouse/helpers';
import { reportFixture } from './fixture';

// A chart library that is loaded for the first time, on a busy machine.
jest.setTimeout(60_000);

const DASHBOARDS = resolve(__dirname, '../../../dashboards');
const OTHER_WORDS = /°C|celsius|temperature|humidity|pressure|weather/i;

const fleetOf = (sensor: string, unit: string, tolerance: number, level: number) => ({
  settings: planDeployment(deploymentFileSchema.parse({ target: { sensor, unit, tolerance } })).settings,
  level,
});

type Fleet = ReturnType<typeof fleetOf>;

/** What people see of a fleet, as text. */
interface Shown {
  readonly table: string;
  readonly report: string;
  readonly status: string;
}

/** The rest of it. */
interface ShownLive {
  readonly board: string;
  readonly replay: string;
  readonly dashboards: string;
  readonly metrics: string;
}

async function onTables<Result>(
  fleet: Fleet,
  work: (warehouse: Warehouse, connection: SerialConnection) => Promise<Result>,
): Promise<Result> {
  const { warehouse, connection } = await reportFixture(fleet);
  try {
    return await work(warehouse, connection);
  } finally {
    await warehouse.close();
  }
}

async function shownOf(fleet: Fleet, connection: SerialConnection): Promise<Shown> {
  const query = queryConnection(connection);
  const place = { id: '20260101-000000-test', processed: '/nowhere', summary: '/nowhere/summary.json' };
  const evidence = await collectEvidence(query, { cutoff: null, faulty: [] });
  return {
    table: renderResults(resultsOf(evidence), fleet.settings.task.target),
    report: renderReport(await collectReport(query, place, { rounds: 12, cutoff: null })),
    status: renderStatus(await statusOf(connection), '/work'),
  };
}

async function shownLive(
  fleet: Fleet,
  warehouse: Warehouse,
  connection: SerialConnection,
): Promise<ShownLive> {
  const metrics = await metricsOf(warehouse, connection);
  return {
    board: renderBoard(await statusOf(connection)),
    replay: await replayOf(fleet),
    dashboards: await dashboardsOf(metrics.series),
    metrics: metrics.text,
  };
}

async function statusOf(connection: SerialConnection): Promise<SystemStatus> {
  const query = queryConnection(connection);
  const versions = await query(
    z.object({
      model_version: z.string(),
      stage: z.string().nullable(),
      windows: z.number(),
      evaluations: z.number(),
      accuracy: z.number(),
      persistence_accuracy: z.number(),
      bias: z.number(),
      skill: z.number().nullable(),
    }),
    `SELECT model_version, stage, windows::DOUBLE AS windows, evaluations::DOUBLE AS evaluations, accuracy, persistence_accuracy,
            bias, skill FROM model_scoreboard ORDER BY model_version`,
  );
  return {
    system: {
      id: '20260101-000000-test',
      pid: 1,
      started: null,
      startedAt: '2026-01-01T00:00:00Z',
      runFolder: '/work/runs/20260101-000000-test',
      fleet: DEFAULT_FLEET,
      kafka: { brokers: '127.0.0.1:1', topicPrefix: '', eventTopic: 'edge-iiot-stream' },
      temporal: { address: null, namespace: 'default', uiUrl: null, configFile: null },
      prometheusUrl: null,
      workers: [],
      processes: [],
    },
    processes: [],
    target: await queryTarget(query),
    champion: versions.find(({ stage }) => stage === 'champion') ?? null,
    versions,
    lastRound: null,
    missingWorker: null,
    retries: [],
    waiting: [],
    checksPaused: null,
    splitDevices: null,
    round: null,
    lag: 0,
    stream: null,
    readiness: null,
    fleet: null,
    results: await readResults(query),
    silent: [],
    nextScheduled: null,
  };
}

async function replayOf({ settings }: Fleet): Promise<string> {
  const pieces: string[] = [];
  const report = tableReport((text) => {
    pieces.push(text);
    return Promise.resolve();
  }, settings.task.target);
  const rows = [{ version: 'v1', device: 'a', error: settings.task.target.tolerance / 2 }];
  await report.window({
    partition: 0,
    start: T0,
    end: T0 + WINDOW,
    after: null,
    analysis: analysisBlock({ window: 0 }, ['a']).columns,
    evaluations: evaluationBlock({ window: 0 }, rows).columns,
  });
  await report.finish({ ...zeroCounts(), read: 1, windowed: 1, aside: 0, open_windows: 0 });
  return pieces.join('');
}

const sampleSchema = z.object({
  labels: z.record(z.string(), z.union([z.string(), z.number()])),
  value: z.number(),
});

/** The metrics of the analytics worker, as text and as Prometheus would have stored them. */
async function metricsOf(
  warehouse: Warehouse,
  connection: SerialConnection,
): Promise<{ readonly text: string; readonly series: ReadonlyMap<string, readonly Series[]> }> {
  await connection.run(
    `INSERT INTO model_feedback SELECT 'window', NULL, 'v2', to_timestamp(${T0 / 1e6}) AT TIME ZONE 'UTC' + INTERVAL (30 * i) SECOND,
       to_timestamp(${T0 / 1e6}) AT TIME ZONE 'UTC' + INTERVAL (30 * i + 30) SECOND, 2, 1, 0.5, 0, 20, 30, 5, 0, 0.5, 'unknown', $feedback
     FROM range(4, 8) AS t(i)`,
    { feedback: JSON.stringify({ ...UNMEASURED, model_version: 'v2', mae: 20, rmse: 30, bias: 5 }) },
  );
  const registry = createMetrics('analytics');
  registerWarehouseMetrics(registry, connection, warehouse.path);
  const text = await registry.metrics();
  const series = new Map<string, readonly Series[]>();
  for (const { name, values } of await registry.getMetricsAsJSON()) {
    const samples = z.array(sampleSchema).parse(values);
    series.set(
      name,
      samples.map(({ labels, value }) => ({
        labels: Object.fromEntries(Object.entries(labels).map(([key, label]) => [key, String(label)])),
        samples: [{ at: 1_000, value }],
      })),
    );
  }
  return { text: text.replace(/^# .*$/gm, ''), series };
}

/** The preview of all dashboards, where each query gives what its first metric has. */
async function dashboardsOf(series: ReadonlyMap<string, readonly Series[]>): Promise<string> {
  const answer = (expr: string): Promise<readonly Series[]> =>
    Promise.resolve(series.get(/fedloop_\w+/.exec(expr)?.[0] ?? '') ?? []);
  const prometheus: Prometheus = {
    now: answer,
    over: answer,
    scrapeSeconds: () => Promise.resolve(5),
  };
  const files = readdirSync(DASHBOARDS).filter((name) => name.endsWith('.json'));
  const drawn = await Promise.all(
    files.map((name) =>
      drawDashboard(
        dashboardFileSchema.parse(JSON.parse(readFileSync(join(DASHBOARDS, name), 'utf8'))),
        prometheus,
        { from: 0, to: 2_000, step: 100 },
      ),
    ),
  );
  return renderPage(drawn, '');
}

describe('a fleet of machines that forecasts power in kW within 40', () => {
  let shown: Shown & ShownLive;
  beforeAll(async () => {
    const fleet = fleetOf('power', 'kW', 40, 1_250);
    shown = await onTables(fleet, async (warehouse, connection) => ({
      ...(await shownOf(fleet, connection)),
      ...(await shownLive(fleet, warehouse, connection)),
    }));
  });

  it('is nowhere told about temperatures', () => {
    for (const [where, text] of Object.entries<string>({ ...shown }))
      expect({ where, found: OTHER_WORDS.exec(text)?.[0] }).toEqual({ where, found: undefined });
  });

  it('finds its target, unit and tolerance in tables', () => {
    expect(shown.table).toContain('bias kW');
    expect(shown.table).toContain('forecasts of power in live windows within 40 kW');
    expect(shown.board).toContain('bias kW');
    expect(shown.replay).toMatch(/mean \|error\| kW/);
    expect(shown.replay).toContain(' 20.0 ');
    expect(shown.status).toContain('power, right within 40 kW');
    expect(shown.status).toMatch(/bias [+−]\d+\.\d kW/);
  });

  it('finds them in its report, in sentences, on axes and in heads of columns', () => {
    const text = shown.report.replaceAll('\u00a0', ' ');
    for (const part of [
      'forecast − actual, kW',
      'correct: within 40 kW',
      'MAE kW',
      'by what power did in the window',
      'its bias was −0.3 kW',
      '<dd>40 kW</dd>',
      '<dd>power</dd>',
    ])
      expect(text).toContain(part);
    expect(text).toMatch(/>1,\d00 kW</);
  });

  it('finds them on the dashboards, where the unit comes with the metrics', () => {
    for (const line of [
      'fedloop_task_info{target="power",unit="kW",role="analytics"} 1',
      'fedloop_task_tolerance{target="power",unit="kW",role="analytics"} 40',
      'fedloop_model_mae{version="v2",stage="champion",unit="kW",role="analytics"} 20',
    ])
      expect(shown.metrics).toContain(line);
    expect(shown.dashboards).toContain('power in kW: 40');
    expect(shown.dashboards).toContain('mean absolute error in kW');
    expect(shown.dashboards).toContain('bias in kW');
  });
});

it.each([
  ['strain', 'mm', 0.0004, 0.002, /bias [+−]0\.0+[1-9]\d* mm/, 'within 0.0004 mm', />0\.00[\d.]+ mm</],
  [
    'revenue',
    '€',
    2_000_000,
    120_000_000,
    /bias [+−][\d,]+ €/,
    'within 2,000,000 €',
    />1\d\d,\d{3},\d{3} €</,
  ],
  ['score', '', 0.3, 5, /bias [+−]0\.\d{3}\)/, 'within 0.3,', />[\d.]+</],
] as const)('%s in %s reads well at its size', async (sensor, unit, tolerance, level, bias, within, tick) => {
  const fleet = fleetOf(sensor, unit, tolerance, level);
  const { status, table, report } = await onTables(fleet, (_, connection) => shownOf(fleet, connection));
  expect(status).toMatch(bias);
  expect(table).toContain(within);
  expect(report.replaceAll('\u00a0', ' ')).toMatch(tick);
  expect(report).not.toMatch(/[+−]0\.0+[\s<]/);
});
