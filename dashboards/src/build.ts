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
import {
  HIDDEN,
  type BarsPanel,
  type DashboardSpec,
  type GroupedBarsPanel,
  type Panel,
  type Query,
  type StatPanel,
  type TablePanel,
  type TextPanel,
  type Thresholds,
  type TimeSeriesPanel,
} from './spec';

/** Tag that the links between the dashboards go by. */
const TAG = 'fedloop';

/** Whatever Prometheus the viewer chose. */
const DATASOURCE: common.DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/* eslint-disable @typescript-eslint/no-deprecated -- The SDK prefers its second schema; files that Grafana 12 and 13 alike
   provision unchanged are in the classic one. */

/** Grafana's own JSON of a dashboard, ready to be provisioned. */
export function buildDashboard(spec: DashboardSpec): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(spec.title)
    .uid(spec.uid)
    .description(spec.description)
    .tags([TAG])
    .readonly()
    .time({ from: 'now-1h', to: 'now' })
    .timezone('browser')
    .refresh('10s')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .variables(variables())
    .links(links())
    .annotations(annotations());
  let id = 1;
  for (const row of spec.rows) {
    builder.withRow(new dashboard.RowBuilder(row.title).id(id++));
    for (const panel of row.panels) builder.withPanel(buildPanel(panel, id++));
  }
  return builder.build();
}
/* eslint-enable @typescript-eslint/no-deprecated */

function variables(): Builder<dashboard.VariableModel>[] {
  const all = { text: 'All', value: '$__all' };
  const labels = (name: string, label: string, query: string): dashboard.QueryVariableBuilder =>
    new dashboard.QueryVariableBuilder(name)
      .label(label)
      .datasource(DATASOURCE)
      .query({ query, refId: name })
      .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
      .sort(dashboard.VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current(all);
  return [
    new dashboard.DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus'),
    labels('job', 'Job', 'label_values(up, job)'),
    labels('instance', 'Instance', 'label_values(up{job=~"$job"}, instance)'),
    new dashboard.TextBoxVariableBuilder('temporal')
      .label('Temporal UI')
      .description('Address of Temporal’s UI that the link above leads to.')
      .defaultValue('http://localhost:8233')
      .current({ text: 'http://localhost:8233', value: 'http://localhost:8233' }),
  ];
}

function links(): Builder<dashboard.DashboardLink>[] {
  return [
    new dashboard.DashboardLinkBuilder('Fedloop')
      .type(dashboard.DashboardLinkType.Dashboards)
      .tags([TAG])
      .tooltip('The other dashboards of Fedloop')
      .asDropdown(false)
      .includeVars(true)
      .keepTime(true),
    new dashboard.DashboardLinkBuilder('Temporal')
      .type(dashboard.DashboardLinkType.Link)
      .url('${temporal}/namespaces/default/workflows')
      .icon('external link')
      .tooltip('Rounds and everything else that runs, in Temporal’s UI')
      .targetBlank(true),
  ];
}

/** A version's stages carry the moment they began as their value, so that marks stand where they belong, after restarts too. */
function annotations(): Builder<dashboard.AnnotationQuery>[] {
  const mark = (
    name: string,
    stage: string,
    colour: string,
    words: string,
  ): dashboard.AnnotationQueryBuilder =>
    new dashboard.AnnotationQueryBuilder()
      .name(name)
      .datasource(DATASOURCE)
      .enable(true)
      .iconColor(colour)
      .expr(`max by (version) (fedloop_model_stage_timestamp_seconds{job=~"$job",stage="${stage}"}) * 1000`)
      .step('10s')
      .useValueForTime(true)
      .titleFormat(`{{version}} ${words}`);
  return [
    mark('Promotions', 'champion', 'green', 'promoted'),
    mark('Rollbacks', 'rolled-back', 'red', 'rolled back'),
  ];
}

function buildPanel(panel: Panel, id: number): Builder<dashboard.Panel> {
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

/** Series as they stand now. */
function nowTargets(queries: readonly Query[]): Builder<Dataquery>[] {
  return queries.map((query, index) => target(query, index).instant());
}

/** As rows of a table, with labels as columns. */
function rowTargets(queries: readonly Query[]): Builder<Dataquery>[] {
  return queries.map((query, index) =>
    target(query, index).instant().format(prometheus.PromQueryFormat.Table),
  );
}

function statPanel(panel: StatPanel, id: number): Builder<dashboard.Panel> {
  const builder = new stat.PanelBuilder()
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .noValue(panel.noData)
    .span(panel.width)
    .height(panel.height)
    .targets(nowTargets([panel.query]))
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .colorMode(
      panel.thresholds === undefined ? common.BigValueColorMode.None : common.BigValueColorMode.Value,
    )
    .graphMode(common.BigValueGraphMode.None)
    .textMode(panel.text === 'name' ? common.BigValueTextMode.Name : common.BigValueTextMode.Value)
    .thresholds(thresholds(panel.thresholds ?? { base: 'text', steps: [] }));
  return panel.decimals === undefined ? builder : builder.decimals(panel.decimals);
}

function thresholds({ base, steps }: Thresholds): dashboard.ThresholdsConfigBuilder {
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps([
      { value: null, color: base },
      ...steps.map(({ from, colour }) => ({ value: from, color: colour })),
    ]);
}

function timeSeriesPanel(panel: TimeSeriesPanel, id: number): Builder<dashboard.Panel> {
  const builder = new timeseries.PanelBuilder()
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .noValue(panel.noData)
    .span(panel.width)
    .height(panel.height)
    .targets(panel.queries.map((query, index) => target(query, index).range()))
    .lineWidth(2)
    .fillOpacity(panel.stacked === true ? 30 : 0)
    .showPoints(common.VisibilityMode.Never)
    .colorScheme(byName())
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new common.VizTooltipOptionsBuilder().mode(common.TooltipDisplayMode.Multi));
  paint(builder, panel.queries);
  if (panel.stacked === true)
    builder.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal));
  if (panel.decimals !== undefined) builder.decimals(panel.decimals);
  if (panel.min !== undefined) builder.min(panel.min);
  if (panel.max !== undefined) builder.max(panel.max);
  return builder;
}

/** Names whose colour means something keep it. */
function paint(
  builder: {
    overrideByName(name: string, properties: dashboard.DynamicConfigValue[]): unknown;
  },
  queries: readonly Query[],
): void {
  for (const { legend, colour } of queries)
    if (colour !== undefined)
      builder.overrideByName(legend, [{ id: 'color', value: { mode: 'fixed', fixedColor: colour } }]);
}

/** A version has the same colour in every panel. */
function byName(): dashboard.FieldColorBuilder {
  return new dashboard.FieldColorBuilder().mode(dashboard.FieldColorModeId.PaletteClassicByName);
}

function barsPanel(panel: BarsPanel, id: number): Builder<dashboard.Panel> {
  const builder = new bargauge.PanelBuilder()
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .noValue(panel.noData)
    .span(panel.width)
    .height(panel.height)
    .targets(nowTargets(panel.queries))
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .orientation(common.VizOrientation.Horizontal)
    .displayMode(common.BarGaugeDisplayMode.Basic)
    .valueMode(common.BarGaugeValueMode.Text)
    .showUnfilled(true)
    .colorScheme(panel.words === undefined ? byName() : byValue());
  paint(builder, panel.queries);
  if (panel.words !== undefined) builder.mappings([wordsFor(panel.words)]);
  if (panel.decimals !== undefined) builder.decimals(panel.decimals);
  if (panel.min !== undefined) builder.min(panel.min);
  if (panel.max !== undefined) builder.max(panel.max);
  return builder;
}

/** One table of all results: rows that agree in `by` are one row, with a column a query. */
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
    // Rounds and ranks are labels, and so text: 10 must not come before 2.
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
  const builder = new barchart.PanelBuilder()
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .noValue(panel.noData)
    .span(panel.width)
    .height(panel.height)
    .targets(rowTargets(panel.queries))
    .transformations([
      ...joined(panel, []),
      // The axis wants text again.
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
    .legend(
      new common.VizLegendOptionsBuilder()
        .displayMode(common.LegendDisplayMode.List)
        .placement(common.LegendPlacement.Bottom)
        .showLegend(true),
    );
  paint(builder, panel.queries);
  return panel.decimals === undefined ? builder : builder.decimals(panel.decimals);
}

function tablePanel(panel: TablePanel, id: number): Builder<dashboard.Panel> {
  const builder = new table.PanelBuilder()
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .datasource(DATASOURCE)
    .unit(panel.unit)
    .noValue(panel.noData)
    .span(panel.width)
    .height(panel.height)
    .showHeader(true)
    .targets(rowTargets(panel.queries))
    .transformations(joined(panel, Object.keys(panel.labels ?? {})));
  for (const { legend, unit } of panel.queries) {
    if (unit !== undefined)
      builder.overrideByName(legend, [
        { id: 'unit', value: unit },
        { id: 'decimals', value: unit === 'locale' ? 0 : 2 },
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
