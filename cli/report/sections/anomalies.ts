import { anomaliesSql } from '../../results/anomalies';
import { ANOMALY_HEADS, ANOMALY_LEGEND, anomalyRows } from '../../results/anomaly-rows';
import { type ReportData } from '../data';
import { behind, columns, section, table } from '../figure';
import { html, type Html } from '../html';

/** What each version predicted of anomalies, and how much of it is true. */
export function anomaliesSection({ results, versions, cutoff }: ReportData): Html | null {
  const rows = anomalyRows(results);
  if (rows.length === 0) return null;
  return section(
    'anomalies',
    'Does it cry wolf?',
    html`Anomalies that versions predicted: ${ANOMALY_LEGEND} A version predicts one where a window’s readings
    scatter as never before on that device, where a device no longer moves, or where a mean leaves the band
    around its forecast; how often that may happen by chance is the fleet’s setting.`,
    table(
      columns('version', ...ANOMALY_HEADS),
      rows.map(({ version, cells }) => [version, ...cells]),
    ),
    behind(null, [anomaliesSql(versions, cutoff)]),
  );
}
