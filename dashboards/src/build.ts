import { type Builder } from '@grafana/grafana-foundation-sdk/cog';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { buildPanel, DATASOURCE } from './panels';
import { type DashboardSpec } from './spec';

/** Tag for the links between the dashboards. */
const TAG = 'fedloop';

/* eslint-disable @typescript-eslint/no-deprecated -- The SDK prefers its second schema; files that Grafana 12 and 13 alike
   provision unchanged are in the classic one. */

/** Grafana's JSON of a dashboard, ready for provisioning. */
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

/** Marks at the beginning of stages. The metric's value is the timestamp, so that marks stay in place after restarts. */
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
