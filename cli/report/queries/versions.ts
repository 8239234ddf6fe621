import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../../core/contracts/ids';
import { quoted, type Query } from '../../../core/warehouse/database/query';
import { upToCutoff, type Cutoff } from '../../results/cutoff';
import { answered, listed, type Answered } from './answered';

const countRow = z.object({
  model_version: versionIdSchema,
  windows: z.number(),
  evaluations: z.number(),
  correct: z.number(),
  accuracy: z.number(),
  served_accuracy: z.number(),
});
export type CountRow = z.infer<typeof countRow>;

/** Every version that was measured, as counted from the rows that are still there. */
export function queryCounts(
  query: Query,
  versions: readonly VersionId[],
  cutoff: Cutoff,
): Promise<Answered<CountRow>> {
  return answered(
    query,
    countRow,
    `SELECT model_version, count(DISTINCT window_start)::DOUBLE AS windows, count(*)::DOUBLE AS evaluations,
       count(*) FILTER (WHERE is_correct)::DOUBLE AS correct, avg(is_correct::DOUBLE) AS accuracy,
       avg(served_is_correct::DOUBLE) AS served_accuracy
FROM model_evaluations WHERE model_version IN (${listed(versions)})${upToCutoff(cutoff)}
GROUP BY model_version ORDER BY model_version`,
  );
}

const windowRow = z.object({
  model_version: versionIdSchema,
  window_start: z.number(),
  evaluations: z.number(),
  accuracy: z.number(),
  persistence_accuracy: z.number(),
});
export type WindowRow = z.infer<typeof windowRow>;

/** Accuracy of some versions window by window, and that of persistence on the same devices. */
export function queryWindows(
  query: Query,
  versions: readonly VersionId[],
  cutoff: Cutoff,
): Promise<Answered<WindowRow>> {
  return answered(
    query,
    windowRow,
    `SELECT model_version, epoch_us(window_start)::DOUBLE AS window_start, evaluations::DOUBLE AS evaluations,
       correct / evaluations AS accuracy, persistence_correct / evaluations AS persistence_accuracy
FROM version_windows WHERE model_version IN (${listed(versions)})${upToCutoff(cutoff)}
ORDER BY window_start, model_version`,
  );
}

const binRow = z.object({
  bin: z.number(),
  n: z.number(),
  correct: z.number(),
  confidence: z.number(),
  accuracy: z.number(),
});
export type ReliabilityRow = z.infer<typeof binRow>;

/** Ten equal bins of a version's stated confidence, and how often it was right in each. */
export function queryReliability(
  query: Query,
  version: VersionId,
  cutoff: Cutoff,
): Promise<Answered<ReliabilityRow>> {
  return answered(
    query,
    binRow,
    `SELECT least(9, greatest(0, floor(confidence * 10)))::DOUBLE AS bin, count(*)::DOUBLE AS n,
       count(*) FILTER (WHERE is_correct)::DOUBLE AS correct, avg(confidence) AS confidence, avg(is_correct::DOUBLE) AS accuracy
FROM model_evaluations WHERE model_version = ${quoted(version)}${upToCutoff(cutoff)}
GROUP BY bin ORDER BY bin`,
  );
}

const regimeRow = z.object({
  regime: z.string(),
  n: z.number(),
  accuracy: z.number(),
  bias: z.number(),
  mae: z.number(),
  p05: z.number(),
  p25: z.number(),
  p50: z.number(),
  p75: z.number(),
  p95: z.number(),
});
export type RegimeRow = z.infer<typeof regimeRow>;

/** How a version's errors are distributed: over the course of the target, and where an anomaly is known to be or not to be. */
export function queryRegimes(query: Query, version: VersionId, cutoff: Cutoff): Promise<Answered<RegimeRow>> {
  return answered(
    query,
    regimeRow,
    `WITH rows AS (
  SELECT regime, error, is_correct FROM model_evaluations WHERE model_version = ${quoted(version)}${upToCutoff(cutoff)}
  UNION ALL
  SELECT CASE WHEN actual_anomaly THEN 'anomalous' ELSE 'normal' END, error, is_correct
  FROM model_evaluations WHERE model_version = ${quoted(version)} AND actual_anomaly IS NOT NULL${upToCutoff(cutoff)}
)
SELECT regime, count(*)::DOUBLE AS n, avg(is_correct::DOUBLE) AS accuracy, avg(error) AS bias, avg(abs(error)) AS mae,
       quantile_cont(error, 0.05) AS p05, quantile_cont(error, 0.25) AS p25, quantile_cont(error, 0.5) AS p50,
       quantile_cont(error, 0.75) AS p75, quantile_cont(error, 0.95) AS p95
FROM rows GROUP BY regime ORDER BY regime`,
  );
}
