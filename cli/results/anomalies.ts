import { z } from 'zod';
import { type VersionId, versionIdSchema } from '../../core/contracts/ids';
import { quoted, type Query } from '../../core/warehouse/database/query';
import { upToCutoff, type Cutoff } from './cutoff';
import { type AnomalyCounts } from './summary-schema';

const countsRow = z.object({
  model_version: versionIdSchema,
  actual: z.number(),
  found: z.number(),
  false_alarms: z.number(),
  judged: z.number(),
  predicted: z.number(),
});

/**
 * Device-windows by what versions predicted and what is known to be true. Rows without a score, of earlier releases, count as little as those of which
 * nobody knows.
 */
export function anomaliesSql(versions: readonly VersionId[], cutoff: Cutoff): string {
  return `SELECT model_version,
  count(*) FILTER (WHERE actual_anomaly)::DOUBLE AS actual,
  count(*) FILTER (WHERE actual_anomaly AND predicted_anomaly)::DOUBLE AS found,
  count(*) FILTER (WHERE NOT actual_anomaly AND predicted_anomaly)::DOUBLE AS false_alarms,
  count(*) FILTER (WHERE actual_anomaly IS NOT NULL)::DOUBLE AS judged,
  count(*) FILTER (WHERE predicted_anomaly)::DOUBLE AS predicted
FROM evaluation_rows
WHERE anomaly_score IS NOT NULL AND model_version IN (${versions.map(quoted).join(', ')})${upToCutoff(cutoff)}
GROUP BY model_version ORDER BY model_version`;
}

/** Counts of each version that has any. */
export async function queryAnomalies(
  query: Query,
  versions: readonly VersionId[],
  cutoff: Cutoff,
): Promise<ReadonlyMap<VersionId, AnomalyCounts>> {
  if (versions.length === 0) return new Map();
  const rows = await query(countsRow, anomaliesSql(versions, cutoff));
  return new Map(
    rows.map(({ model_version, false_alarms: falseAlarms, ...counts }) => [
      model_version,
      { falseAlarms, ...counts },
    ]),
  );
}
