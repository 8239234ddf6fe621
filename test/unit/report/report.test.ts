import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HtmlValidate } from 'html-validate';
import { z } from 'zod';
import { queryConnection } from '../../../cli/query/query-file';
import { percent, points, signed } from '../../../cli/shared/format';
import { collectReport } from '../../../cli/report/collect';
import { type ReportData } from '../../../cli/report/data';
import { headline, renderReport } from '../../../cli/report/page';
import { type Warehouse } from '../../../core/warehouse/database/open';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { DEVICES, HOSTILE, reportFixture } from './fixture';

const rawRow = z.object({
  model_version: z.string(),
  device_id: z.string(),
  window_start: z.number(),
  error: z.number(),
  is_correct: z.boolean(),
  confidence: z.number(),
  persistence_error: z.number(),
  regime: z.string(),
  actual_anomaly: z.boolean().nullable(),
});
type Raw = z.infer<typeof rawRow>;

// Thousands of rows, and a library that is loaded for the first time, on a busy machine.
jest.setTimeout(60_000);

let folder: string;
let warehouse: Warehouse;
let connection: SerialConnection;
let data: ReportData;
let page: string;
/** The rows themselves, to count again what the report says. */
let raw: readonly Raw[];

const place = () => ({
  id: '20260101-000000-test',
  processed: folder,
  summary: join(folder, 'summary.json'),
});

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-report-'));
  writeFileSync(
    join(folder, 'summary.json'),
    JSON.stringify({
      seed: 42,
      startedAt: '2026-01-01T00:00:00Z',
      seconds: 9,
      settings: { fleet: { devices: 12, name: '<i>' } },
    }),
  );
  ({ warehouse, connection } = await reportFixture());
  raw = await connection.rows(rawRow, 'SELECT * FROM evaluation_rows');
  data = await collectReport(queryConnection(connection), place(), { rounds: 12, cutoff: null });
  page = renderReport(data);
});
afterAll(async () => {
  await warehouse.close();
  rmSync(folder, { recursive: true, force: true });
});

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const accuracyOf = (rows: readonly Raw[]): number => mean(rows.map((row) => Number(row.is_correct)));
const of = (version: string): readonly Raw[] => raw.filter((row) => row.model_version === version);

/** Cells of every table row of a section, as text. */
function cellsOf(id: string): readonly (readonly string[])[] {
  const section = page.slice(page.indexOf(`aria-labelledby="${id}"`)).split('</section>')[0] ?? '';
  return [...section.matchAll(/<tr>([\s\S]*?)<\/tr>/g)].map(([, row = '']) =>
    [...row.matchAll(/<t[hd][^>]*>([\s\S]*?)<\/t[hd]>/g)].map(([, cell = '']) => plain(cell)),
  );
}

/** Text of a piece of HTML. */
function plain(html: string): string {
  return html
    .replace(/<[^>]*>/g, '')
    .replaceAll('\u00a0', ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&')
    .trim();
}

describe('the figures of a report', () => {
  it('say of every version what its rows say', () => {
    const rows = cellsOf('accuracy');
    for (const version of ['v0', 'v1', 'v2']) {
      const own = of(version);
      const told = rows.find(([name]) => name === version)!;
      expect(told.slice(1, 5)).toEqual([
        String(new Set(own.map(({ window_start }) => window_start)).size),
        String(own.length),
        String(own.filter(({ is_correct }) => is_correct).length),
        percent(accuracyOf(own)),
      ]);
      // The fixture's devices correct nothing.
      expect(told[6]).toBe(percent(accuracyOf(own)));
      expect(told.slice(7, 10)).toEqual([
        signed(mean(own.map(({ error }) => error)), 2),
        mean(own.map(({ error }) => Math.abs(error))).toFixed(2),
        signed(
          1 -
            mean(own.map(({ error }) => Math.abs(error))) /
              mean(own.map((row) => Math.abs(row.persistence_error))),
          2,
        ),
      ]);
    }
  });

  it('compare versions on the device-windows that both forecast', () => {
    const key = (row: Raw): string => `${row.device_id}/${row.window_start}`;
    const before = new Map(of('v1').map((row) => [key(row), row]));
    const pairs = of('v2').flatMap((row) => {
      const other = before.get(key(row));
      return other === undefined ? [] : [Number(row.is_correct) - Number(other.is_correct)];
    });
    expect(pairs.length).toBe(4 * DEVICES.length);
    expect(page).toContain(`v2 − v1 ${points(mean(pairs))} points`);
  });

  it('tell what each feedback action changed, before and after, by regime', () => {
    const rows = cellsOf('feedback');
    const judged = (version: string): readonly Raw[] =>
      of(version)
        .filter(({ regime }) => regime === 'rising')
        .slice(-16);
    const rising = rows.find(([name]) => name === '2, rising')!;
    const v1 = of('v1').filter(
      ({ regime, window_start }) =>
        regime === 'rising' && of('v2').some((row) => row.window_start === window_start),
    );
    expect(rising.slice(1, 4)).toEqual([
      String(judged('v2').length),
      percent(accuracyOf(v1)),
      percent(accuracyOf(judged('v2'))),
    ]);
    expect(page).toContain('v1 was right in 51.2\u00a0% of its forecasts');
    expect(page).toContain('in a band 0.69 tolerances wide');
  });

  it('hold stated confidence against how often it was right', () => {
    for (const [name, n, confidence, right, share] of cellsOf('reliability').slice(1)) {
      const from = Number(/^\d+/.exec(name ?? '')) / 100;
      const own = of('v2').filter((row) => Math.min(0.9, Math.floor(row.confidence * 10) / 10) === from);
      expect([n, confidence, right, share]).toEqual([
        String(own.length),
        percent(mean(own.map((row) => row.confidence))),
        String(own.filter(({ is_correct }) => is_correct).length),
        percent(accuracyOf(own)),
      ]);
    }
  });

  it('count errors by regime, anomalies where they are known', () => {
    const rows = cellsOf('errors');
    const anomalous = of('v2').filter(({ actual_anomaly }) => actual_anomaly === true);
    expect(rows.find(([name]) => name === 'anomalous')!.slice(1, 3)).toEqual([
      String(anomalous.length),
      percent(accuracyOf(anomalous)),
    ]);
    const known = of('v2').filter(({ actual_anomaly }) => actual_anomaly !== null);
    expect(Number(rows.find(([name]) => name === 'normal')![1])).toBe(known.length - anomalous.length);
  });

  it('name the devices that the champion serves worst', () => {
    const scores = DEVICES.map((device) => {
      const own = of('v2').filter(({ device_id }) => device_id === device);
      return { device, accuracy: accuracyOf(own), mae: mean(own.map(({ error }) => Math.abs(error))) };
    }).sort((a, b) => a.accuracy - b.accuracy || b.mae - a.mae || (a.device < b.device ? -1 : 1));
    expect(
      cellsOf('devices')
        .slice(1)
        .map(([name, , , accuracy, mae]) => [name, accuracy, mae]),
    ).toEqual(
      scores.slice(0, 6).map(({ device, accuracy, mae }) => [device, percent(accuracy), mae.toFixed(2)]),
    );
  });

  it('put what locals claim beside what panels found', () => {
    expect(cellsOf('claims').slice(1)).toEqual([
      ['1: v1', '10', '84.5 %', '69.0 %', percent(accuracyOf(of('v1')))],
      ['2: v2', '10', '84.5 %', '69.0 %', percent(accuracyOf(of('v2')))],
    ]);
  });

  it('say when the rounds were at work', () => {
    expect(cellsOf('timeline')[2]).toEqual(
      expect.arrayContaining(['2', '00:00:20', '00:00:24', '00:01:30', '1 min 06 s']),
    );
  });

  it('come with SQL that gives them again', async () => {
    const questions = [...page.matchAll(/<pre>([\s\S]*?)<\/pre>/g)].map(([, sql = '']) => plain(sql));
    expect(questions.length).toBeGreaterThanOrEqual(12);
    for (const sql of questions) {
      const rows = await connection.rows(z.record(z.string(), z.unknown()), sql);
      expect(rows.length).toBeGreaterThan(0);
    }
  });

  it('stand in one sentence at the top, beside persistence on the same device-windows', () => {
    const own = of('v2');
    const { tolerance } = data.target;
    const floor = mean(own.map((row) => Number(Math.abs(row.persistence_error) <= tolerance)));
    const points = (100 * (accuracyOf(own) - floor)).toFixed(1);
    expect(headline(data)).toBe(
      `v2 is right in ${percent(accuracyOf(own))} of its forecasts, ${points} points above “nothing changes”`,
    );
  });
});

describe('the page', () => {
  it('loads nothing', () => {
    // Names of devices may hold anything, here and, with doubled quotes, in SQL.
    const own = page.replace(/<pre>[\s\S]*?<\/pre>/g, '').replaceAll(plainEscaped(HOSTILE), '');
    expect(own).not.toMatch(/https?:|\/\/[a-z]|url\((?!#)|@import|<script|<link|<img|<iframe/i);
  });

  it('is valid HTML', async () => {
    const checker = new HtmlValidate({ root: true, extends: ['html-validate:standard'] });
    const { results } = await checker.validateString(page);
    expect(
      results.flatMap(({ messages }) => messages.map((message) => `${message.ruleId}: ${message.message}`)),
    ).toEqual([]);
  });

  it('lets no name of a device, setting or effect become markup', () => {
    expect(page).not.toContain('<script');
    expect(page).not.toContain('<b>bold</b>');
    expect(page).toContain('some new effect: &lt;b&gt;bold&lt;/b&gt;');
    expect(page).toContain('&lt;i&gt;');
    expect(cellsOf('devices').flat()).toContain(HOSTILE);
  });

  it('draws every picture for screens and for telephones, in colours that follow the reader’s', () => {
    const pictures = page.match(/<svg /g) ?? [];
    expect(pictures.length).toBeGreaterThanOrEqual(7 * 2 + 2 + 6);
    expect(page).toContain('prefers-color-scheme: dark');
    expect(page).toContain('@media print');
    const drawn = page.replace(/<clipPath[\s\S]*?<\/clipPath>/g, '');
    expect(drawn.match(/(?:fill|stroke)="(#|rgb)[^"]*"/g) ?? []).toEqual([]);
  });

  it('shows what each site brought over the rounds, and the devices on either end of the last one', () => {
    const shown = cellsOf('contributions');
    expect(shown).toContainEqual(['main', '2', '+0.30', '+0.16 … +0.44', '+0.3000']);
    expect(shown).toContainEqual(['sensor-9', 'main', '+0.0900']);
    expect(shown).toContainEqual(['sensor-0', 'main', '−0.0900']);
    expect(page).toContain('nothing goes by it');
  });

  it('does not mention faults without a truth file', () => {
    expect(data.truth).toBeNull();
    expect(page).not.toContain('healthy');
  });
});

it('cannot be made of a run without a decided round, and says what to do', async () => {
  const empty = await openWarehouse(':memory:');
  try {
    const made = collectReport(queryConnection(await empty.connect()), place(), { rounds: 12, cutoff: null });
    await expect(made).rejects.toMatchObject({ code: 'NotFound' });
    await expect(made).rejects.toHaveProperty('hint', expect.stringContaining('round start'));
  } finally {
    await empty.close();
  }
});

it('shows the latest rounds where there are more than asked for', async () => {
  const last = await collectReport(queryConnection(connection), place(), { rounds: 1, cutoff: null });
  expect(last.versions).toEqual(['v1', 'v2']);
  expect(renderReport(last)).toContain('1 earlier round not shown');
});

it('counts the windows up to its cutoff alone, in every figure', async () => {
  const starts = [...new Set(of('v2').map(({ window_start }) => window_start))].sort((a, b) => a - b);
  const cutoff = starts.at(-2)!;
  const made = await collectReport(queryConnection(connection), place(), { rounds: 12, cutoff });
  const kept = of('v2').filter(({ window_start }) => window_start <= cutoff);
  expect(kept.length).toBeLessThan(of('v2').length);
  const { results, counts, reliability } = made;
  expect(results.rounds.at(-1)).toMatchObject({ version: 'v2', evaluations: kept.length });
  expect(results.rounds.at(-1)!.accuracy).toBeCloseTo(accuracyOf(kept), 12);
  expect(counts.rows.find(({ model_version }) => model_version === 'v2')!.evaluations).toBe(kept.length);
  expect(reliability.rows.reduce((sum, { n }) => sum + n, 0)).toBe(kept.length);
  expect(Math.max(...made.windows.rows.map(({ window_start }) => window_start))).toBe(cutoff);
});

/** The report after a rollback from v2 to `version`. */
async function reportOf(version: string, rounds: number): Promise<ReportData> {
  const stages = (ofVersion: string, ofV2: string) =>
    connection.run(
      `UPDATE model_versions SET stage = CASE model_version WHEN '${version}' THEN '${ofVersion}' WHEN 'v2' THEN '${ofV2}' ELSE stage END`,
    );
  await stages('champion', 'rolled-back');
  try {
    return await collectReport(queryConnection(connection), place(), { rounds, cutoff: null });
  } finally {
    await stages('shadow', 'champion');
  }
}

it('speaks of the version that serves, also after a rollback', async () => {
  expect(headline(await reportOf('v1', 12))).toMatch(/^v1 is right/);
});

it('goes back as many rounds as the version that serves takes, though fewer are asked for', async () => {
  const made = await reportOf('v0', 1);
  expect({ champion: made.champion, versions: made.versions }).toEqual({
    champion: 'v0',
    versions: ['v0', 'v1', 'v2'],
  });
  expect(headline(made)).toMatch(/^v0 is right/);
});

function plainEscaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
