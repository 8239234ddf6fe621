import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HtmlValidate } from 'html-validate';
import { tableReport } from '../../../cli/actions/replay-output';
import { html } from '../../../cli/report/html';
import { describeFailure } from '../../../cli/shared/fail';
import { forTerminal, printableLine } from '../../../cli/shared/format';
import { FedloopError } from '../../../core/contracts/errors';
import { Gauge, createMetrics } from '../../../core/platform/metrics';
import { HOSTILE_TEXTS, OBEYED, withoutColours } from '../../support/hostile-texts';

const ROOT = join(__dirname, '../../..');

describe.each(HOSTILE_TEXTS.map((text) => [JSON.stringify(text), text] as const))('%s as an id', (_, id) => {
  it('is one line on a terminal, which obeys nothing in it', () => {
    const line = printableLine(id);
    expect(line).not.toMatch(OBEYED);
    expect(line).not.toMatch(/[\n\t]/);
  });

  it('keeps a whole answer safe, and our colours in it', () => {
    const shown = forTerminal(`\u001b[31merror:\u001b[39m ${id}\n`);
    expect(shown.startsWith('\u001b[31merror:\u001b[39m ')).toBe(true);
    expect(withoutColours(shown)).not.toMatch(OBEYED);
  });

  it('cannot act from an error message', () => {
    const { text } = describeFailure(new FedloopError('InvalidData', `no device ${id}`, { hint: id }), true);
    expect(withoutColours(text)).not.toMatch(OBEYED);
  });

  it('is text in the report', async () => {
    const page = html`<!doctype html>
      <html lang="en">
        <head>
          <title>t</title>
        </head>
        <body>
          <p title="${id}">${id}</p>
        </body>
      </html>`;
    expect(page.text).not.toMatch(OBEYED);
    expect(page.text).not.toMatch(/<script|<img|<b>/);
    const validator = new HtmlValidate({ extends: ['html-validate:standard'] });
    const report = await validator.validateString(page.text);
    expect(report.results.flatMap(({ messages }) => messages.map(({ message }) => message))).toEqual([]);
  });

  it('is a value in Prometheus’ format where it were a label', async () => {
    const registry = createMetrics('test');
    new Gauge({ name: 'fedloop_x', help: 'x', labelNames: ['unit'], registers: [registry] }).set(
      { unit: id },
      1,
    );
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('fedloop_x'));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^fedloop_x\{unit="([^"\\]|\\.)*",role="test"\} 1$/s);
  });
});

it('a replay shows hostile ids in rows of one line each', async () => {
  let shown = '';
  const report = tableReport(
    (text) => {
      shown += text;
      return Promise.resolve();
    },
    { unit: '°C', tolerance: 1 } as Parameters<typeof tableReport>[1],
  );
  const column = HOSTILE_TEXTS.map(() => 1);
  await report.window({
    start: 0,
    analysis: {
      device_id: [...HOSTILE_TEXTS],
      ...Object.fromEntries(
        ['count', 'avg', 'min', 'max', 'stddev', 'max_abs_z', 'outliers'].map((name) => [name, column]),
      ),
    },
    evaluations: { model_version: [] },
  } as never);
  await report.finish({ read: 0 } as never);
  expect(shown).not.toMatch(OBEYED);
  const rows = shown.split('\n').filter((line) => line.includes('1970-01-01'));
  expect(rows.length).toBeGreaterThanOrEqual(Math.min(10, HOSTILE_TEXTS.length));
});

it('no metric has a label for devices', () => {
  const sources = ['core', 'fleet', 'workers', 'activities'].flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(ROOT, room, file), 'utf8')),
  );
  const labels = sources.flatMap((source) =>
    [...source.matchAll(/labelNames: \[([^\]]*)\]|gauge\(\s*'[^']*'((?:,\s*'[^']*')*)/g)].map(
      ([, a = '', b = '']) => a + b,
    ),
  );
  expect(labels.length).toBeGreaterThan(20);
  expect(labels.filter((names) => /'device(_id)?'/.test(names))).toEqual([]);
});
