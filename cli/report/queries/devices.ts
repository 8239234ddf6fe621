import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../../core/contracts/ids';
import { quoted, type Query } from '../../../core/warehouse/database/query';
import { upToCutoff, type Cutoff } from '../../results/cutoff';
import { answered, listed, type Answered } from './answered';

const deviceRow = z.object({
  device_id: z.string(),
  n: z.number(),
  correct: z.number(),
  accuracy: z.number(),
  mae: z.number(),
  bias: z.number(),
});
export type DeviceRow = z.infer<typeof deviceRow>;

/** The devices that a version serves worst: fewest correct forecasts, then the largest mean absolute error. */
export function queryWorstDevices(
  query: Query,
  version: VersionId,
  most: number,
  cutoff: Cutoff,
): Promise<Answered<DeviceRow>> {
  return answered(
    query,
    deviceRow,
    `SELECT device_id, count(*)::DOUBLE AS n, count(*) FILTER (WHERE is_correct)::DOUBLE AS correct,
       avg(is_correct::DOUBLE) AS accuracy, avg(abs(error)) AS mae, avg(error) AS bias
FROM model_evaluations WHERE model_version = ${quoted(version)}${upToCutoff(cutoff)}
GROUP BY device_id ORDER BY accuracy, mae DESC, device_id LIMIT ${most}`,
  );
}

const seriesRow = z.object({
  device_id: z.string(),
  window_start: z.number(),
  actual: z.number(),
  prediction: z.number().nullable(),
  is_correct: z.boolean().nullable(),
  model_version: versionIdSchema.nullable(),
});
export type SeriesRow = z.infer<typeof seriesRow>;

/** Latest windows that one device's series goes back. */
const SERIES_WINDOWS = 120;

/** Means of some devices, window by window, and beside each what the newest of the `versions` measured there had forecast. */
export function querySeries(
  query: Query,
  devices: readonly string[],
  versions: readonly VersionId[],
  cutoff: Cutoff,
): Promise<Answered<SeriesRow>> {
  const order = versions.map((version, index) => `WHEN ${quoted(version)} THEN ${index}`).join(' ');
  return answered(
    query,
    seriesRow,
    `SELECT results.device_id, epoch_us(results.window_start)::DOUBLE AS window_start, results.avg AS actual,
       forecasts.prediction_result AS prediction, forecasts.is_correct, forecasts.model_version
FROM stream_analysis_results AS results
LEFT JOIN (
  SELECT device_id, window_start, prediction_result, is_correct, model_version FROM model_evaluations
  WHERE device_id IN (${listed(devices)}) AND model_version IN (${listed(versions)})
  QUALIFY row_number() OVER (PARTITION BY device_id, window_start ORDER BY CASE model_version ${order} END DESC) = 1
) AS forecasts USING (device_id, window_start)
WHERE results.device_id IN (${listed(devices)})${upToCutoff(cutoff, 'results.window_start')}
QUALIFY row_number() OVER (PARTITION BY results.device_id ORDER BY results.window_start DESC) <= ${SERIES_WINDOWS}
ORDER BY results.device_id, results.window_start`,
  );
}
