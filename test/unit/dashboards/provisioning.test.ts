import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { grafanaAlerts } from '../../../dashboards/src/alerts';

const read = (name: string): string => readFileSync(resolve(__dirname, '../../../dashboards', name), 'utf8');
const alertsSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          uid: z.string(),
          title: z.string(),
          condition: z.string(),
          annotations: z.record(z.string(), z.string()),
          data: z.array(
            z.object({
              refId: z.string(),
              datasourceUid: z.string(),
              model: z.object({ expr: z.string().optional(), expression: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

describe('provisioning', () => {
  const alerts = alertsSchema
    .parse(parse(grafanaAlerts(read('rules.yml'))))
    .groups.flatMap(({ rules }) => rules);
  const { datasources } = z
    .object({ datasources: z.array(z.object({ uid: z.string(), type: z.string(), url: z.string() })) })
    .parse(parse(read('provisioning/datasources/fedloop.yml')));

  it('makes the datasource that alert rules name', () => {
    expect(datasources).toMatchObject([{ uid: 'fedloop-prometheus', type: 'prometheus' }]);
    for (const { data } of alerts)
      expect(data.map(({ datasourceUid }) => datasourceUid)).toEqual(['fedloop-prometheus', '__expr__']);
  });

  it('gives Grafana every alert that Prometheus has, with the same query', () => {
    const rules = z
      .object({
        groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
      })
      .parse(parse(read('rules.yml')))
      .groups.flatMap((group) => group.rules);
    expect(alerts.map(({ title, data }) => [title, data[0]?.model.expr])).toEqual(
      rules.map(({ alert, expr }) => [alert, expr.trim()]),
    );
    expect(new Set(alerts.map(({ uid }) => uid)).size).toBe(alerts.length);
    for (const { uid } of alerts) expect(uid).toMatch(/^[a-z-]{1,40}$/);
  });

  it('speaks of labels and values as Grafana knows them', () => {
    const summaries = alerts.map(({ annotations }) => annotations['summary']);
    expect(summaries).toContain('Worker {{ $labels.instance }} is gone');
    expect(summaries).toContain(
      'The stream rejects {{ $values.A.Value | humanizePercentage }} of its events',
    );
  });
});
