import { formatValue } from '../../../cli/dashboard/format-value';
import { rowsOf } from '../../../cli/dashboard/rows';
import { legendHeight } from '../../../cli/dashboard/legend';
import { buildDashboard } from '../../../dashboards/src/build';
import { dashboardFileSchema } from '../../../cli/dashboard/dashboard-file';

describe('values in the preview', () => {
  it.each([
    [0.856, 'percentunit', 1, '85.6 %'],
    [0.39, 'suffix:points', 2, '0.39 points'],
    [14_442, 'locale', undefined, '14,442'],
    [38_100_000, 'decbytes', undefined, '38.1 MB'],
    [Date.UTC(2024, 0, 1, 12), 'time:YYYY-MM-DD', undefined, '2024-01-01'],
    [Date.UTC(2024, 0, 1, 3, 25), 'time:MM-DD HH:mm', undefined, '01-01 03:25'],
  ] as const)('%d in %s reads as Grafana writes it', (value, unit, decimals, text) => {
    expect(formatValue(value, unit, decimals)).toBe(text);
  });
});

describe('tables in the preview', () => {
  const file = dashboardFileSchema.parse(
    JSON.parse(
      JSON.stringify(
        buildDashboard({
          uid: 'test',
          file: 'test',
          title: 'Test',
          description: 'Test.',
          rows: [
            {
              title: 'Row',
              panels: [
                {
                  kind: 'table',
                  title: 'Versions',
                  description: 'Versions.',
                  unit: 'none',
                  noData: 'none',
                  width: 8,
                  height: 8,
                  by: 'version',
                  sortBy: 'round',
                  newestFirst: true,
                  queries: [
                    { expr: 'info', legend: '' },
                    { expr: 'accuracy', legend: 'accuracy' },
                  ],
                },
              ],
            },
          ],
        }),
      ),
    ),
  );
  const one = (labels: Record<string, string>, value: number) => ({ labels, samples: [{ at: 0, value }] });

  it('join what belongs together, newest first by number, without the column that they are sorted by', () => {
    const panel = file.panels.find(({ type }) => type === 'table')!;
    const { columns, rows } = rowsOf(panel, [
      [one({ version: 'v2', round: '2' }, 1), one({ version: 'v10', round: '10' }, 1)],
      [one({ version: 'v10' }, 0.9), one({ version: 'v2' }, 0.8)],
    ]);
    expect(columns).toEqual(['version', 'accuracy']);
    expect(rows.map(({ version, accuracy }) => [version, accuracy])).toEqual([
      ['v10', 0.9],
      ['v2', 0.8],
    ]);
  });
});

it('names under a chart never take more than three lines of it', () => {
  const names = Array.from({ length: 40 }, (_, index) => `a rather long name ${index}`);
  expect(legendHeight(names, 400)).toBe(legendHeight(names.slice(0, 20), 400));
  expect(legendHeight(['alone'], 400)).toBe(0);
});
