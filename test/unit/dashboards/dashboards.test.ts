import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { DASHBOARDS } from '../../../dashboards/src';
import { type Panel } from '../../../dashboards/src/spec';
import { provisionedFiles } from '../../../dashboards/src/write';

const FOLDER = resolve(__dirname, '../../../dashboards');

const fileSchema = z.looseObject({
  uid: z.string(),
  editable: z.boolean(),
  panels: z.array(
    z.looseObject({
      id: z.int(),
      type: z.string(),
      title: z.string(),
      gridPos: z.object({ x: z.int(), y: z.int(), w: z.int(), h: z.int() }),
      fieldConfig: z
        .looseObject({
          defaults: z.looseObject({ unit: z.string().optional(), noValue: z.string().optional() }),
        })
        .optional(),
      targets: z.array(z.looseObject({ expr: z.string() })).optional(),
    }),
  ),
  templating: z.looseObject({ list: z.array(z.looseObject({ name: z.string(), type: z.string() })) }),
  annotations: z.looseObject({
    list: z.array(z.looseObject({ name: z.string(), useValueForTime: z.boolean() })),
  }),
  links: z.array(z.looseObject({ type: z.string(), url: z.string().optional() })),
});

const committed = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, text: readFileSync(join(FOLDER, name), 'utf8') }));
const parsed = committed.map(({ name, text }) => ({ name, json: fileSchema.parse(JSON.parse(text)) }));

describe('dashboards', () => {
  it('are committed as the code makes them (npm run dashboards writes them)', () => {
    const made = provisionedFiles(readFileSync(join(FOLDER, 'rules.yml'), 'utf8'));
    for (const [name, text] of made) expect(readFileSync(join(FOLDER, name), 'utf8')).toBe(text);
    expect(committed.map(({ name }) => name).sort()).toEqual(
      [...made.keys()].filter((name) => name.endsWith('.json')).sort(),
    );
  });

  it('are the five of the README', () => {
    expect(DASHBOARDS.map(({ title }) => title)).toEqual([
      'Fleet & accuracy',
      'Round by round',
      'Stream health',
      'Batch & warehouse',
      'Workers & Temporal',
    ]);
    expect(new Set(DASHBOARDS.map(({ uid }) => uid)).size).toBe(DASHBOARDS.length);
  });

  it.each(parsed)('$name can be provisioned: read-only, with variables, marks and links', ({ json }) => {
    expect(json.editable).toBe(false);
    expect(json.templating.list.map(({ name }) => name)).toEqual([
      'datasource',
      'job',
      'instance',
      'temporal',
    ]);
    expect(json.annotations.list.map(({ name }) => name)).toEqual(['Promotions', 'Rollbacks']);
    expect(json.links.map(({ type }) => type)).toEqual(['dashboards', 'link']);
    expect(json.links[1]?.url).toContain('${temporal}');
  });

  it.each(parsed)('$name has no two panels in one place, and none beyond the edge', ({ json }) => {
    const taken = new Set<string>();
    for (const { title, gridPos } of json.panels) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect({ title, cell: taken.has(`${x}/${y}`) }).toEqual({ title, cell: false });
          taken.add(`${x}/${y}`);
        }
      }
    }
  });

  it.each(parsed)('$name asks every panel under its variables, and never for a device', ({ json }) => {
    for (const { expr } of json.panels.flatMap(({ targets }) => targets ?? [])) {
      if (!expr.includes('ALERTS')) expect(expr).toContain('{job=~"$job",instance=~"$instance"');
      expect(expr).not.toContain('device_id');
    }
  });

  const panels = DASHBOARDS.flatMap(({ title: dashboard, rows }) =>
    rows.flatMap((row) =>
      row.panels.map((panel): [string, Panel] => [`${dashboard}: ${panel.title}`, panel]),
    ),
  );
  it.each(panels)('%s says what it shows, in which unit, and what an empty panel means', (_, panel) => {
    expect(panel.description).toMatch(/^.{20,}[.]$/s);
    if (panel.kind === 'text') return;
    expect(panel.unit).not.toBe('');
    expect(panel.noData).not.toBe('');
  });

  it('hands title, description, unit and the text for no data on to Grafana', () => {
    for (const { json } of parsed) {
      for (const panel of json.panels.filter(({ type }) => type !== 'row' && type !== 'text')) {
        expect(panel.fieldConfig?.defaults).toMatchObject({
          unit: expect.stringMatching(/./) as string,
          noValue: expect.stringMatching(/./) as string,
        });
      }
    }
  });
});
