import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ingestRow } from '../../../dashboards/src/ingest';
import { ingestMetrics } from '../../../core/ingest/metrics';
import { createMetrics } from '../../../core/platform/metrics';

/** Every metric of an ingest worker, with its labels, once something of each kind has happened. */
async function exported(): Promise<ReadonlyMap<string, readonly string[]>> {
  const registry = createMetrics('ingest');
  const metrics = ingestMetrics(registry, {
    lags: () => new Map([[0, 1]]),
    pendingEvents: () => 0,
    isConnected: () => true,
  });
  metrics.messages.inc({ outcome: 'mapped' });
  metrics.rejects.inc({ reason: 'empty' });
  metrics.badValues.inc({ sensor: 'humidity' });
  const found = (await registry.getMetricsAsJSON()).map(({ name, values }): [string, string[]] => [
    name,
    Object.keys(values[0]?.labels ?? {}),
  ]);
  return new Map(found.filter(([name]) => name.startsWith('fedloop_ingest_')));
}

const panels = ingestRow({ base: 'green', steps: [] }).panels.flatMap((panel): [string, string][] => {
  const queries = 'queries' in panel ? panel.queries : 'query' in panel ? [panel.query] : [];
  return queries.map(({ expr }) => [panel.title, expr]);
});
const rules = z
  .object({
    groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
  })
  .parse(parse(readFileSync(resolve(__dirname, '../../../dashboards/rules.yml'), 'utf8')))
  .groups.flatMap((group) => group.rules)
  .filter(({ expr }) => expr.includes('fedloop_ingest_'))
  .map(({ alert, expr }): [string, string] => [alert, expr]);

describe('what is asked of an ingest worker', () => {
  it.each([...panels, ...rules])('%s: %s is among its metrics, with the labels', async (_, expr) => {
    const known = await exported();
    const names = expr.match(/fedloop_ingest_\w+/g) ?? [];
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect([...known.keys()]).toContain(name);
    const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = '']) => labels.split(', '));
    // Prometheus adds the instance itself.
    const labels = [...names.flatMap((name) => known.get(name) ?? []), 'instance'];
    for (const label of grouped) expect(labels).toContain(label);
  });

  it('is all that it counts, but for values left out and records stamped anew', async () => {
    const asked = new Set(
      [...panels, ...rules].flatMap(([, expr]) => expr.match(/fedloop_ingest_\w+/g) ?? []),
    );
    const silent = [...(await exported()).keys()].filter((name) => !asked.has(name));
    expect(silent.sort()).toEqual(['fedloop_ingest_bad_values_total', 'fedloop_ingest_restamped_total']);
  });
});
