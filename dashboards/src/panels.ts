import { type Builder, type Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import * as barchart from '@grafana/grafana-foundation-sdk/barchart';
import * as bargauge from '@grafana/grafana-foundation-sdk/bargauge';
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import * as stat from '@grafana/grafana-foundation-sdk/stat';
import * as table from '@grafana/grafana-foundation-sdk/table';
import * as text from '@grafana/grafana-foundation-sdk/text';
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import { paint } from './paint';
import {
  HIDDEN,
  TARGETS_UNIT,
  type BarsPanel,
  type GroupedBarsPanel,
  type Panel as AnyPanel,
  type Query,
  type StatPanel,
  type TablePanel,
  type TextPanel,
  type Thresholds,
  type TimeSeriesPanel,
} from './spec';

/** The Prometheus that the viewer chose. */
export const DATASOURCE: common.DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** Grafana's builder of a panel. */
export function buildPanel(panel: AnyPanel, id: number): Builder<dashboard.Panel> {
  switch (panel.kind) {
    case 'stat':
      return statPanel(panel, id);
    case 'timeseries':
      return timeSeriesPanel(panel, id);
    case 'bars':
      return barsPanel(panel, id);
    case 'grouped-bars':
      return groupedBarsPanel(panel, id);
    case 'table':
      return tablePanel(panel, id);
    case 'text':
      return textPanel(panel, id);
  }
}

/** The part of the SDK's builders that all kinds of panels with queries share. */
interface QueryPanelBuilder {
  id(id: number): this;
  title(title: string): this;
  description(description: string): this;
  datasource(datasource: common.DataSourceRef): this;
  unit(unit: string): this;
  noValue(noValue: string): this;
  span(width: number): this;
  height(height: number): this;
}

function withCommon<Panel extends QueryPanelBuilder>(
  builder: Panel,
  panel: Exclude<AnyPanel, TextPanel>,
  id: number,
): Panel {
  return builder
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .noValue(panel.noData)
    .span(panel.width)
    .height(panel.height);
}

interface RangeBuilder {
  decimals(decimals: number): this;
  min(min: number): this;
  max(max: number): this;
}

/** Decimals and bounds of the value axis, where the panel has some. */
function withRange<Panel extends RangeBuilder>(
  builder: Panel,
  { decimals, min, max }: TimeSeriesPanel | BarsPanel,
): Panel {
  if (decimals !== undefined) builder.decimals(decimals);
  if (min !== undefined) builder.min(min);
  if (max !== undefined) builder.max(max);
  return builder;
}

function legendBelow(): common.VizLegendOptionsBuilder {
  return new common.VizLegendOptionsBuilder()
    .displayMode(common.LegendDisplayMode.List)
    .placement(common.LegendPlacement.Bottom)
    .showLegend(true);
}

const REF_IDS = 'ABCDEFGHIJKLMNOP';

function target(query: Query, index: number): prometheus.DataqueryBuilder {
  return new prometheus.DataqueryBuilder()
    .datasource(DATASOURCE)
    .refId(refId(index))
    .expr(query.expr)
    .legendFormat(query.legend);
}

function refId(index: number): string {
  const letter = REF_IDS[index];
  if (letter === undefined) throw new RangeError(`a panel has at most ${REF_IDS.length} queries`);
  return letter;
}

/** Queries for present values. */
function nowTargets(queries: readonly Query[]): Builder<Dataquery>[] {
  return queries.map((query, index) => target(query, index).instant());
}

/** Queries for rows of a table, with labels as columns. */
function rowTargets(queries: readonly Query[]): Builder<Dataquery>[] {
  return queries.map((query, index) =>
    target(query, index).instant().format(prometheus.PromQueryFormat.Table),
  );
}

function statPanel(panel: StatPanel, id: number): Builder<dashboard.Panel> {
  const builder = withCommon(new stat.PanelBuilder(), panel, id)
    .targets(nowTargets([panel.query]))
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .colorMode(
      panel.thresholds === undefined ? common.BigValueColorMode.None : common.BigValueColorMode.Value,
    )
    .graphMode(common.BigValueGraphMode.None)
    .textMode(TEXT_MODES[panel.text ?? 'value'])
    .thresholds(thresholds(panel.thresholds ?? { base: 'text', steps: [] }));
  return panel.decimals === undefined ? builder : builder.decimals(panel.decimals);
}

const TEXT_MODES: Readonly<Record<NonNullable<StatPanel['text']>, common.BigValueTextMode>> = {
  value: common.BigValueTextMode.Value,
  name: common.BigValueTextMode.Name,
  'name and value': common.BigValueTextMode.ValueAndName,
};

function thresholds({ base, steps }: Thresholds): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([
      { value: null, color: base },
      ...steps.map(({ from, colour }) => ({ value: from, color: colour })),
    ]);
}

function timeSeriesPanel(panel: TimeSeriesPanel, id: number): Builder<dashboard.Panel> {
  const builder = withCommon(new timeseries.PanelBuilder(), panel, id)
    .targets(panel.queries.map((query, index) => target(query, index).range()))
    .lineWidth(2)
    .fillOpacity(panel.stacked === true ? 30 : 0)
    .showPoints(common.VisibilityMode.Never)
    .colorScheme(byName())
    .legend(legendBelow())
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi));
  paint(builder, panel.queries);
  if (panel.stacked === true)
    builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  return withRange(builder, panel);
}

/** A version has the same colour in every panel. */
function byName(): dashboard.FieldColorBuilder {
  return new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassicByName);
}

function barsPanel(panel: BarsPanel, id: number): Builder<dashboard.Panel> {
  const builder = withCommon(new bargauge.PanelBuilder(), panel, id)
    .targets(nowTargets(panel.queries))
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .orientation(common.VizOrientation.Horizontal)
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .valueMode(common.BarGaugeValueMode.Text)
    .showUnfilled(true)
    .colorScheme(panel.words === undefined ? byName() : byValue());
  paint(builder, panel.queries);
  if (panel.words !== undefined) builder.mappings([wordsFor(panel.words)]);
  return withRange(builder, panel);
}

/** One table of all results: rows with the same `by` are joined, with a column for each query. */
function joined(
  { by, queries, sortBy = by, newestFirst = false }: TablePanel | GroupedBarsPanel,
  labels: readonly string[],
): dashboard.DataTransformerConfig[] {
  const columns = queries.map(({ legend }, index) => ({ from: `Value #${refId(index)}`, legend }));
  const shown = columns.filter(({ legend }) => legend !== HIDDEN);
  const hidden = [
    'Time',
    ...columns.map((_, index) => `Time ${index + 1}`),
    ...columns.filter(({ legend }) => legend === HIDDEN).map(({ from }) => from),
    ...(sortBy === by || labels.includes(sortBy) ? [] : [sortBy]),
  ];
  const numbered = { conversions: [{ targetField: sortBy, destinationType: 'number' }], fields: {} };
  return [
    { id: 'joinByField', options: { byField: by, mode: 'outer' } },
    // Rounds and ranks are labels and so texts; as numbers, 10 does not come before 2.
    ...(NUMBERS.includes(sortBy) ? [{ id: 'convertFieldType', options: numbered }] : []),
    { id: 'sortBy', options: { fields: {}, sort: [{ field: sortBy, desc: newestFirst }] } },
    {
      id: 'organize',
      options: {
        excludeByName: Object.fromEntries(hidden.map((name) => [name, true])),
        indexByName: Object.fromEntries(
          [by, ...labels, ...shown.map(({ from }) => from)].map((name, index) => [name, index]),
        ),
        renameByName: Object.fromEntries(shown.map(({ from, legend }) => [from, legend])),
      },
    },
  ];
}

/** Labels that hold numbers. */
const NUMBERS: readonly string[] = ['round', 'rank'];

function byValue(): dashboard.FieldColorBuilder {
  return new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.Thresholds);
}

function wordsFor(words: NonNullable<BarsPanel['words']>): dashboard.ValueMap {
  return {
    type: dashboard.MappingType.ValueToText,
    options: Object.fromEntries(
      Object.entries(words).map(([value, { text: word, colour }]) => [value, { text: word, color: colour }]),
    ),
  };
}

function groupedBarsPanel(panel: GroupedBarsPanel, id: number): Builder<dashboard.Panel> {
  const builder = withCommon(new barchart.PanelBuilder(), panel, id)
    .targets(rowTargets(panel.queries))
    .transformations([
      ...joined(panel, []),
      // The axis needs text again.
      {
        id: 'convertFieldType',
        options: { conversions: [{ targetField: panel.by, destinationType: 'string' }], fields: {} },
      },
    ])
    .xField(panel.by)
    .orientation(common.VizOrientation.Vertical)
    .showValue(common.VisibilityMode.Auto)
    .stacking(panel.stacked === true ? common.StackingMode.Normal : common.StackingMode.None)
    .colorScheme(byName())
    .legend(legendBelow());
  paint(builder, panel.queries);
  return panel.decimals === undefined ? builder : builder.decimals(panel.decimals);
}

function tablePanel(panel: TablePanel, id: number): Builder<dashboard.Panel> {
  const builder = withCommon(new table.PanelBuilder(), panel, id)
    .showHeader(true)
    .targets(rowTargets(panel.queries))
    .transformations(joined(panel, Object.keys(panel.labels ?? {})));
  for (const { legend, unit } of panel.queries) {
    if (unit !== undefined)
      builder.overrideByName(legend, [
        { id: 'unit', value: unit },
        ...(unit === TARGETS_UNIT ? [] : [{ id: 'decimals', value: unit === 'locale' ? 0 : 2 }]),
      ]);
  }
  return builder;
}

function textPanel(panel: TextPanel, id: number): Builder<dashboard.Panel> {
  return new text.PanelBuilder()
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .span(panel.width)
    .height(panel.height)
    .mode(text.TextMode.Markdown)
    .content(panel.markdown);
}
