import { z } from 'zod';
import { type DashboardPanel } from './dashboard-file';
import { type Series } from './prometheus';

/** A table that Grafana's transformations make of the results. */
interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, string | number>>[];
}

const sortSchema = z.object({
  sort: z.array(z.object({ field: z.string(), desc: z.boolean().default(false) })).default([]),
});
const joinSchema = z.object({ byField: z.string() });
const organizeSchema = z.object({
  renameByName: z.record(z.string(), z.string()).default({}),
  indexByName: z.record(z.string(), z.number()).default({}),
  excludeByName: z.record(z.string(), z.boolean()).default({}),
});

/**
 * Grafana's `joinByField`, `organize` and `sortBy` on instant results, each of which is a table with a column for each label and
 * one for the value.
 */
export function rowsOf(
  panel: Pick<DashboardPanel, 'targets' | 'transformations'>,
  results: readonly (readonly Series[])[],
): Rows {
  const optionsOf = (id: string): unknown =>
    panel.transformations.find((transformation) => transformation.id === id)?.options ?? {};
  const { byField: by } = joinSchema.parse(optionsOf('joinByField'));
  const { renameByName, indexByName, excludeByName } = organizeSchema.parse(optionsOf('organize'));
  const joined = new Map<string, Record<string, string | number>>();
  panel.targets.forEach(({ refId }, index) => {
    const value = `Value #${refId}`;
    for (const { labels, samples } of results[index] ?? []) {
      const key = labels[by];
      const last = samples.at(-1);
      if (key === undefined || last === undefined) continue;
      joined.set(key, { ...joined.get(key), ...labels, [renameByName[value] ?? value]: last.value });
    }
  });
  const { field, desc } = sortSchema.parse(optionsOf('sortBy')).sort[0] ?? { field: by, desc: false };
  const columns = Object.entries(indexByName)
    .filter(([name]) => excludeByName[name] !== true)
    .sort(([, first], [, second]) => first - second)
    .map(([name]) => renameByName[name] ?? name);
  const text = (row: Readonly<Record<string, string | number>>): string => String(row[field] ?? '');
  const rows = [...joined.values()].sort(
    (first, second) =>
      (desc ? -1 : 1) * text(first).localeCompare(text(second), 'en', { numeric: true }) ||
      String(first[by]).localeCompare(String(second[by]), 'en', { numeric: true }),
  );
  return { columns, rows };
}
