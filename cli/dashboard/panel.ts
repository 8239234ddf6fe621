import { z } from 'zod';
import { barChart, groupedBarChart, lineChart, type Bar, type Mark } from './charts';
import { namedColour, type ColourOf } from './colours';
import { type DashboardPanel } from './dashboard-file';
import { formatValue } from './format-value';
import { escapeHtml } from './html';
import { legendHeight, legendHtml } from './legend';
import { type Series } from './prometheus';
import { rowsOf } from './rows';
import { legendOf, type TimeRange } from './variables';

/** A panel with one result for each of its queries. */
interface PanelInput {
  readonly panel: DashboardPanel;
  readonly results: readonly (readonly Series[])[];
  readonly range: TimeRange;
  readonly marks: readonly Mark[];
  readonly colourOf: ColourOf;
}

/** Pixels of one of Grafana's 24 columns and of one of its rows, on a page of 1,440 pixels. */
const COLUMN = 60;
const ROW = 36;
/** Pixels of a panel's height for its title. */
const TITLE = 44;

/** The content of a panel as HTML. */
export function panelBody(input: PanelInput): string {
  const { panel, results } = input;
  if (panel.type === 'text') return markdownBody(panel.options.content ?? '');
  const filled = results.some((series) =>
    series.some(({ samples }) => samples.some(({ value }) => Number.isFinite(value))),
  );
  if (!filled) return `<p class="none">${escapeHtml(panel.fieldConfig.defaults.noValue)}</p>`;
  switch (panel.type) {
    case 'stat':
      return statBody(input);
    case 'timeseries':
      return timeSeriesBody(input);
    case 'bargauge':
      return barsBody(input);
    case 'barchart':
      return groupedBarsBody(input);
    case 'table':
      return tableBody(input);
    default:
      return `<p class="none">Only Grafana shows a panel of type ${escapeHtml(panel.type)}.</p>`;
  }
}

/** The part of Markdown that the dashboards use: paragraphs and blocks of code. */
function markdownBody(content: string): string {
  const parts = content.split(/^```.*$/m).map((text, index) => {
    const shown = escapeHtml(text.trim());
    return shown === '' ? '' : index % 2 === 1 ? `<pre>${shown}</pre>` : `<p>${shown}</p>`;
  });
  return `<div class="markdown">${parts.join('')}</div>`;
}

/** Size of a panel's chart, less its legend. */
function sizeOf({ gridPos }: DashboardPanel, names: readonly string[] = []) {
  const width = gridPos.w * COLUMN - 32;
  return { width, height: gridPos.h * ROW - TITLE - legendHeight(names, width) };
}

/** Colours that the panel overrides, else those of the page. */
function colourIn({ fieldConfig }: DashboardPanel, colourOf: ColourOf): ColourOf {
  return (name) => {
    const own = colourSchema.safeParse(
      fieldConfig.overrides
        .find(({ matcher }) => matches(matcher, name))
        ?.properties.find(({ id }) => id === 'color')?.value,
    );
    return (own.success ? namedColour(own.data.fixedColor) : undefined) ?? colourOf(name);
  };
}

/** Grafana's matchers of a series by its name. */
function matches(
  { id, options }: { readonly id: string; readonly options?: unknown },
  name: string,
): boolean {
  if (id === 'byName') return options === name;
  return id === 'byRegexp' && typeof options === 'string' && new RegExp(options.slice(1, -1)).test(name);
}

const colourSchema = z.object({ fixedColor: z.string() });

function scaleOf({ fieldConfig }: DashboardPanel) {
  const { unit, decimals, min, max } = fieldConfig.defaults;
  return { unit, decimals, min, max };
}

/** The latest value of each series, under its legend. */
function latest({ panel, results }: PanelInput): { readonly name: string; readonly value: number }[] {
  return panel.targets.flatMap(({ legendFormat }, index) =>
    (results[index] ?? []).flatMap(({ labels, samples }) => {
      const last = samples.at(-1);
      return last === undefined || !Number.isFinite(last.value)
        ? []
        : [{ name: legendOf(legendFormat, labels), value: last.value }];
    }),
  );
}

function statBody(input: PanelInput): string {
  const { unit, decimals, thresholds } = input.panel.fieldConfig.defaults;
  return latest(input)
    .map(({ name, value }) => {
      const step = (thresholds?.steps ?? [])
        .filter((known) => known.value === null || known.value <= value)
        .at(-1);
      const colour = input.panel.options.colorMode === 'none' ? 'text' : (step?.color ?? 'text');
      const words = wordsOf(input.panel.options.textMode, name, formatValue(value, unit, decimals));
      return `<p class="stat ${colour}">${escapeHtml(words)}</p>`;
    })
    .join('');
}

function wordsOf(mode: string | undefined, name: string, value: string): string {
  if (mode === 'name') return name;
  return mode === 'value_and_name' ? `${name}: ${value}` : value;
}

function timeSeriesBody({ panel, results, range, marks, colourOf }: PanelInput): string {
  const lines = panel.targets.flatMap(({ legendFormat }, index) =>
    (results[index] ?? []).map(({ labels, samples }) => ({
      name: legendOf(legendFormat, labels),
      points: withGaps(samples, range.step),
    })),
  );
  const names = lines.map(({ name }) => name);
  const colour = colourIn(panel, colourOf);
  const chart = lineChart(lines, {
    ...sizeOf(panel, names),
    ...scaleOf(panel),
    from: range.from,
    to: range.to,
    marks,
    stacked: panel.fieldConfig.defaults.custom?.stacking?.mode === 'normal',
    colourOf: colour,
  });
  return `${chart}${legendHtml(names, colour)}`;
}

/** Points with a null where some are missing, so that the line breaks there. */
function withGaps(samples: Series['samples'], step: number): (readonly [number, number | null])[] {
  return samples.flatMap(({ at, value }, index) => {
    const before = samples[index - 1];
    const point = [at, Number.isFinite(value) ? value : null] as const;
    return before !== undefined && at - before.at > 1.5 * step
      ? [[before.at + step, null] as const, point]
      : [point];
  });
}

function barsBody(input: PanelInput): string {
  const { panel } = input;
  const words = panel.fieldConfig.defaults.mappings.find(({ type }) => type === 'value')?.options ?? {};
  const bars = latest(input).map(({ name, value }): Bar => {
    const word = words[String(value)];
    return word === undefined
      ? { name, value }
      : { name, value, word: { text: word.text, colour: namedColour(word.color) ?? input.colourOf(name) } };
  });
  return barChart(bars, {
    ...sizeOf(panel),
    ...scaleOf(panel),
    colourOf: colourIn(panel, input.colourOf),
  });
}

function groupedBarsBody({ panel, results, colourOf }: PanelInput): string {
  const { rows, columns } = rowsOf(panel, results);
  const by = panel.options.xField ?? columns[0] ?? '';
  const names = columns.filter((name) => name !== by);
  const colour = colourIn(panel, colourOf);
  const chart = groupedBarChart(
    rows.map((row) => String(row[by] ?? '')),
    names.map((name) => ({
      name,
      values: rows.map((row) => (typeof row[name] === 'number' ? row[name] : null)),
    })),
    { ...sizeOf(panel, names), ...scaleOf(panel), colourOf: colour },
  );
  return `${chart}${legendHtml(names, colour)}`;
}

function tableBody({ panel, results }: PanelInput): string {
  const { columns, rows } = rowsOf(panel, results);
  const numeric = (name: string): boolean => rows.some((row) => typeof row[name] === 'number');
  const cell = (name: string, value: string | number | undefined): string =>
    typeof value === 'number'
      ? `<td class="number">${escapeHtml(formatValue(value, ...unitOf(panel, name)))}</td>`
      : `<td>${escapeHtml(value ?? '')}</td>`;
  return `<table><thead><tr>${columns
    .map((name) => `<th${numeric(name) ? ' class="number"' : ''}>${escapeHtml(name)}</th>`)
    .join('')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${columns.map((name) => cell(name, row[name])).join('')}</tr>`)
    .join('')}</tbody></table>`;
}

/** Unit and decimals of a column: its own, else the panel's. */
export function unitOf({ fieldConfig }: DashboardPanel, name: string): [string, number | undefined] {
  const own = fieldConfig.overrides.find(({ matcher }) => matches(matcher, name))?.properties;
  const find = (id: string): unknown => own?.find((property) => property.id === id)?.value;
  const unit = z.string().safeParse(find('unit'));
  const decimals = z.number().safeParse(find('decimals'));
  return [unit.data ?? fieldConfig.defaults.unit, decimals.data ?? fieldConfig.defaults.decimals];
}
