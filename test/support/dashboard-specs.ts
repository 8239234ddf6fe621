import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { dashboardFileSchema } from '../../cli/dashboard/dashboard-file';
import { unitOf } from '../../cli/dashboard/panel';
import { connectPrometheus, type Prometheus, type Series } from '../../cli/dashboard/prometheus';
import { resolveQuery, type TimeRange } from '../../cli/dashboard/variables';
import { METRICS_MAX_PAUSE_MS } from '../../core/warehouse/limits';
import { describeWith, PROMETHEUS } from './requirements';
import { type CommandResult } from './run-fedloop';

/** A system that has run a few rounds, with Prometheus watching from its start. */
export interface WatchedSystem {
  readonly prometheusUrl: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
  readonly workers: readonly { readonly role: string; readonly url: string }[];
  readonly rounds: number;
  readonly sql: <Row extends z.ZodType>(row: Row, question: string) => Promise<z.infer<Row>[]>;
  readonly fedloop: (...words: string[]) => Promise<CommandResult>;
}

const FOLDER = resolve(__dirname, '../../dashboards');
const SCRAPE_SECONDS = 2;
/** Until the last figures have been scraped: a read of the tables that is cached for a while, and scrapes of which a busy machine misses some. */
const SETTLED_MS = METRICS_MAX_PAUSE_MS + 5 * SCRAPE_SECONDS * 1_000;
/** A figure that is not seen after so many looks, each half that time apart, is not behind but wrong. */
const LOOKS = 8;
/** The fleet sends on for a while after the last round. */
const STILL_TIMEOUT_MS = 180_000;

/** Queries that a healthy small loop leaves empty, and why; every other one must show something. */
const QUIET = new Map([
  ['Left out, and why A', 'every update may count'],
  ['Malformed, and why A', 'the fleet sends nothing malformed'],
  ['Rejected rows A', 'nothing is rejected'],
  ['Time of a batch run A', 'the one batch run may lie before the first scrape'],
  ['Workflows ended B', 'no workflow fails'],
  ['Workflows ended C', 'no workflow is cancelled'],
  ['Requests to Temporal B', 'no request need fail'],
  ['Devices without a forecast A', 'every device may have its lags'],
  ['Steps that failed A', 'no step fails'],
  ['Against the one before A', 'the gate may have kept the first champion'],
  ['Champion against candidate B', 'a candidate may come and go between two scrapes'],
  ['Champion against candidate C', 'the gate may have kept the first champion'],
  ['Accuracy by regime A', 'a window of few devices may have none of a regime'],
  ['Accuracy by regime B', 'a window of few devices may have none of a regime'],
  ['Accuracy by regime C', 'a window of few devices may have none of a regime'],
  ['Accuracy by regime D', 'a window of few devices may have none of a regime'],
  ['Accuracy by regime E', 'a window of few devices may have none of a regime'],
  ...['A', 'B'].map((refId): [string, string] => [
    `Precision and recall by version ${refId}`,
    'a small fleet may have no anomaly, and none may be predicted',
  ]),
  ...['A', 'B', 'C'].map((refId): [string, string] => [
    `Contributions by site and round ${refId}`,
    'of one site alone there is nothing without it',
  ]),
  // What they ask for is held against an ingest worker's own metrics in test/unit/dashboards/ingest.test.ts.
  ...['Messages a second A', 'Not mapped A', 'Source lag A', 'Source answers A', 'Not mapped, and why A'].map(
    (panel): [string, string] => [panel, 'a simulated fleet needs no ingest'],
  ),
  ...['Messages and readings A', 'Messages and readings B', 'What waits A', 'What waits B'].map(
    (panel): [string, string] => [panel, 'a simulated fleet needs no ingest'],
  ),
]);

interface Panel {
  readonly name: string;
  readonly title: string;
  readonly unit: string;
  readonly refId: string;
  readonly expr: string;
  readonly instant: boolean;
}

const panels: readonly Panel[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .flatMap((name) => {
    const { title, panels: found } = dashboardFileSchema.parse(
      JSON.parse(readFileSync(join(FOLDER, name), 'utf8')),
    );
    return found.flatMap((panel) =>
      panel.targets.map(({ refId, expr, instant, legendFormat }) => ({
        name: `${title}: ${panel.title} ${refId}`,
        title: panel.title,
        unit: unitOf(panel, legendFormat)[0],
        refId,
        expr,
        instant,
      })),
    );
  });

/** A system as Prometheus has seen it. */
interface View {
  readonly system: WatchedSystem;
  readonly prometheus: Prometheus;
  readonly range: TimeRange;
  /** First value of an instant query; undefined when it finds no series. */
  readonly valueOf: (query: string) => Promise<number | undefined>;
}

/** What Prometheus and the dashboards show of a running system. */
export function describeDashboards(system: () => WatchedSystem): void {
  describeWith(PROMETHEUS, 'Prometheus and the dashboards', () => {
    let view: View;
    beforeAll(async () => {
      const watched = system();
      const prometheus = connectPrometheus(watched.prometheusUrl);
      await untilStill(watched);
      const to = Math.floor(Date.now() / 1_000);
      view = {
        system: watched,
        prometheus,
        range: { from: watched.startedAt, to, step: SCRAPE_SECONDS },
        valueOf: async (query) => (await prometheus.now(query, Date.now() / 1_000))[0]?.samples[0]?.value,
      };
    }, STILL_TIMEOUT_MS);
    const seen = (): View => view;
    describeScrapes(seen);
    describeFigures(seen);
    describePanels(seen);
    describeAlerts(seen);
    describePreview(seen);
  });

  it('the preview says what to do when no Prometheus answers', async () => {
    const { code, err } = await system().fedloop(
      'dashboard',
      'preview',
      '--prometheus',
      'http://127.0.0.1:9',
    );
    expect(code).toBe(2);
    expect(err).toContain('no Prometheus answers at http://127.0.0.1:9');
  });
}

/** Resolves once nothing was evaluated for so long that Prometheus has the last figures. */
async function untilStill({ sql }: WatchedSystem): Promise<void> {
  const evaluated = async (): Promise<number | undefined> =>
    (await sql(z.object({ n: z.number() }), 'SELECT sum(evaluations)::INT AS n FROM model_scoreboard'))[0]?.n;
  for (let before = await evaluated(); ;) {
    await sleep(SETTLED_MS);
    const now = await evaluated();
    if (now === before) return;
    before = now;
  }
}

function describeScrapes(view: () => View): void {
  describe('what Prometheus scrapes', () => {
    it('is every worker, each under its name, with the SDK’s own metrics beside', async () => {
      const { system, prometheus } = view();
      const roles = system.workers.map(({ role }) => role);
      const up = await prometheus.now('up == 1', Date.now() / 1_000);
      const instances = (job: string): string[] =>
        up.flatMap(({ labels }) => (labels['job'] === job ? [labels['instance'] ?? ''] : []));
      expect(instances('fedloop').sort()).toEqual([...roles].sort());
      expect(instances('temporal-sdk').sort()).toEqual([...roles].sort());
    });

    it('follows the conventions on every worker', async () => {
      for (const { role, url } of view().system.workers) {
        const text = await (await fetch(`${url}/metrics`)).text();
        const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
          input: text,
          encoding: 'utf8',
        });
        expect({ role, status, output: `${stdout}${stderr}` }).toEqual({ role, status: 0, output: '' });
      }
    });

    it('has no device in any label', async () => {
      const { system } = view();
      const [device] = await system.sql(
        z.object({ device_id: z.string() }),
        'SELECT device_id FROM stream_analysis_results LIMIT 1',
      );
      for (const { url } of system.workers)
        expect(await (await fetch(`${url}/metrics`)).text()).not.toContain(device!.device_id);
    });
  });
}

/**
 * What tables and Prometheus say of each version, once they count the same evaluations: a window of the fleet that comes late on a busy
 * machine is in the tables before it is scraped. What they last said, when they do not come together.
 */
async function scoreboardThatBothShow({ system, valueOf }: View) {
  const look = async () => {
    const board = await system.sql(
      z.object({ version: z.string(), accuracy: z.number(), evaluations: z.number() }),
      'SELECT model_version AS version, accuracy, evaluations::INT AS evaluations FROM model_scoreboard',
    );
    return Promise.all(
      board.map(async ({ version, ...tables }) => ({
        tables,
        prometheus: {
          accuracy: await valueOf(`fedloop_model_accuracy_ratio{version="${version}",scope="lifetime"}`),
          evaluations: await valueOf(`fedloop_model_evaluations_total{version="${version}"}`),
        },
      })),
    );
  };
  for (let looks = 1; ; looks += 1) {
    const board = await look();
    const same = board.every(({ tables, prometheus }) => tables.evaluations === prometheus.evaluations);
    if (same || looks === LOOKS) return board;
    await sleep(SETTLED_MS / 2);
  }
}

function describeFigures(view: () => View): void {
  describe('the figures of Prometheus', () => {
    it(
      'are what the tables say of each version',
      async () => {
        const board = await scoreboardThatBothShow(view());
        expect(board.length).toBeGreaterThan(1);
        for (const { tables, prometheus } of board) {
          expect(prometheus.accuracy).toBeCloseTo(tables.accuracy, 9);
          expect(prometheus.evaluations).toBe(tables.evaluations);
        }
      },
      STILL_TIMEOUT_MS,
    );

    it('are what the tables say of each round', async () => {
      const { system, valueOf } = view();
      const rounds = await system.sql(
        z.object({ round: z.number(), accuracy: z.number(), change: z.number() }),
        'SELECT round, accuracy, paired_change AS change FROM federated_rounds',
      );
      expect(rounds).toHaveLength(system.rounds);
      for (const { round, accuracy, change } of rounds) {
        expect(
          await valueOf(`fedloop_round_accuracy_ratio{round="${round}",measured="candidate"}`),
        ).toBeCloseTo(accuracy, 9);
        expect(
          await valueOf(`fedloop_round_accuracy_change_ratio{round="${round}",estimate="mean"}`),
        ).toBeCloseTo(change, 9);
      }
    });

    it('give every event read one verdict', async () => {
      const { prometheus } = view();
      const now = Date.now() / 1_000;
      const read = await prometheus.now('sum by (partition) (fedloop_stream_events_read_total)', now);
      const verdicts = await prometheus.now('sum by (partition) (fedloop_stream_events_total)', now);
      expect(read.length).toBeGreaterThan(0);
      expect(verdicts).toEqual(read);
      expect(read.every(({ samples }) => (samples[0]?.value ?? 0) > 0)).toBe(true);
    });
  });
}

function describePanels(view: () => View): void {
  const query = ({ expr, instant }: Panel): Promise<readonly Series[]> => {
    const { prometheus, range } = view();
    const resolved = resolveQuery(expr, range, SCRAPE_SECONDS);
    return instant ? prometheus.now(resolved, range.to) : prometheus.over(resolved, range);
  };
  describe('every query of every panel', () => {
    it.each(panels)('$name shows something', async (panel) => {
      const series = await query(panel);
      const values = series
        .flatMap(({ samples }) => samples.map(({ value }) => value))
        .filter(Number.isFinite);
      const quiet = QUIET.has(`${panel.title} ${panel.refId}`);
      if (!quiet) expect(values.length).toBeGreaterThan(0);
      for (const value of values) expect(sane(value, panel)).toBe(true);
    });
  });
}

const rulesAnswer = z.object({
  data: z.object({
    groups: z.array(
      z.object({ rules: z.array(z.object({ name: z.string(), health: z.string(), state: z.string() })) }),
    ),
  }),
});

function describeAlerts(view: () => View): void {
  it('alert rules are evaluated by the running Prometheus, and none fires on a healthy loop', async () => {
    const { data } = rulesAnswer.parse(
      await (await fetch(`${view().system.prometheusUrl}/api/v1/rules`)).json(),
    );
    const rules = data.groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThanOrEqual(7);
    for (const rule of rules) expect(rule).toMatchObject({ health: 'ok' });
    expect(rules.filter(({ state }) => state === 'firing')).toEqual([]);
  });
}

function describePreview(view: () => View): void {
  it('the preview draws every panel of the dashboards that Fedloop ships', async () => {
    const { code, out, err } = await view().system.fedloop('dashboard', 'preview');
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    const page = readFileSync(out.trim(), 'utf8');
    for (const title of new Set(panels.map((panel) => panel.title)))
      expect(page).toContain(`>${title.replaceAll('&', '&amp;')}</h3>`);
    expect(page.match(/<svg /g)?.length).toBeGreaterThan(30);
    expect(page).not.toMatch(/(src|href)=/);
  });
}

/** Figures in the unit of the target, which is a temperature here. */
const ERRORS = /_(mae|bias)\{/;

/** What a value of a unit can be at all; a share may be a difference, and an error may have a sign. */
function sane(value: number, { unit, expr }: Panel): boolean {
  switch (unit) {
    case 'percentunit':
      return value >= -1 && value <= 1;
    case 'short':
      return ERRORS.test(expr) ? Math.abs(value) < 60 : value >= 0;
    case 'suffix:points':
      return value >= -100 && value <= 100;
    case 'time:YYYY-MM-DD':
    case 'time:MM-DD HH:mm':
      return value > Date.UTC(2000, 0, 1) && value < Date.UTC(2100, 0, 1);
    case 's':
      return value > -120 && value < 3_600;
    default:
      return value >= 0;
  }
}
