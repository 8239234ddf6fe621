import Table from 'cli-table3';
import { ANOMALY_HEADS, ANOMALY_LEGEND, anomalyRows } from '../results/anomaly-rows';
import { type Results } from '../results/summary-schema';
import { outColours as pc } from '../shared/colours';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';

/** What versions predicted of anomalies; empty where none says anything of it. */
export function renderAnomalies(results: Results): string {
  const rows = anomalyRows(results);
  if (rows.length === 0) return '';
  const table = new Table({
    head: ['anomalies', ...ANOMALY_HEADS].map((name) => pc.bold(name)),
    colAligns: ['left', ...ANOMALY_HEADS.map(() => 'right' as const)],
    ...PLAIN_TABLE,
  });
  table.push(
    ...rows.map(({ version, cells }) => [
      version === results.champion ? pc.bold(version) : version,
      ...cells,
    ]),
  );
  return `${linesOf(table)}\n${pc.dim(`anomalies: ${ANOMALY_LEGEND}`)}`;
}
