import { parse, stringify } from 'yaml';
import { z } from 'zod';

const ruleSchema = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z.string().default('0s'),
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
});
const fileSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema) })),
});

/** The datasource that provisioning makes. */
const DATASOURCE_UID = 'fedloop-prometheus';

/**
 * Prometheus' alert rules in Grafana's form, for users whom Grafana alerts: one source, two forms.
 * @param rules the text of `rules.yml`.
 */
export function grafanaAlerts(rules: string): string {
  const { groups } = fileSchema.parse(parse(rules));
  const file = {
    apiVersion: 1,
    groups: groups.map(({ name, rules: listed }) => ({
      orgId: 1,
      name,
      folder: 'Fedloop',
      interval: '1m',
      rules: listed.map(grafanaRule),
    })),
  };
  return `# Made from dashboards/rules.yml by npm run dashboards: change it there.\n${stringify(file, { lineWidth: 120 })}`;
}

function grafanaRule(rule: z.infer<typeof ruleSchema>): unknown {
  return {
    uid: rule.alert
      .replace(/([a-z])([A-Z])/g, '$1-$2')
      .toLowerCase()
      .slice(0, 40),
    title: rule.alert,
    // The query returns a series, of any value, while something is wrong, and none otherwise.
    condition: 'B',
    noDataState: 'OK',
    execErrState: 'Error',
    for: rule.for,
    labels: rule.labels,
    annotations: Object.fromEntries(
      Object.entries(rule.annotations).map(([key, text]) => [key, grafanaTemplate(text)]),
    ),
    data: [
      {
        refId: 'A',
        relativeTimeRange: { from: 3_600, to: 0 },
        datasourceUid: DATASOURCE_UID,
        model: { refId: 'A', expr: rule.expr.trim(), instant: true, range: false },
      },
      {
        refId: 'B',
        datasourceUid: '__expr__',
        model: { refId: 'B', type: 'math', expression: 'is_number($A)' },
      },
    ],
  };
}

/** Grafana has the values by query. Texts and queries of rules are taken as they stand: it fills in no `$` of its own there. */
function grafanaTemplate(text: string): string {
  return text.replaceAll('$value', '$values.A.Value');
}
