import { type Feedback } from '../../contracts/feedback';
import { type VersionId } from '../../contracts/ids';
import { type SerialConnection } from '../database/connection';
import { sumsOf } from '../database/sums';
import { cellRow, feedbackOf } from '../queries/feedback-figures';
import { boundsOf, IN_RANGE, type WindowRange } from '../queries/windows';
import { worstDevicesOfRange, type WorstDevices } from './by-device';

/**
 * Feedback on every version that has rows in the range (or on those of `versions`), counted from rows.
 * `tolerance`, in the target's unit, decides what persistence got right. `worst`: the worst devices, where they are known already.
 */
export async function feedbackOfRange(
  connection: SerialConnection,
  input: WindowRange &
    Pick<Feedback, 'scope' | 'round' | 'tolerance'> & {
      readonly versions?: readonly VersionId[];
      readonly worst?: WorstDevices;
    },
): Promise<Feedback[]> {
  // One pass over the rows instead of one each for the sums, the bins and the patterns.
  const cells = await connection.rows(
    cellRow,
    `SELECT model_version, least(9, greatest(0, floor(confidence * 10)))::INTEGER AS bin, regime, actual_anomaly, predicted_anomaly,
            anomaly_kind, anomaly_score IS NOT NULL AS is_scored,
            min(window_start) AS first_start, max(window_end) AS last_end, ${sumsOf('$tolerance')}
     FROM evaluation_rows WHERE ${IN_RANGE} GROUP BY ALL ORDER BY ALL`,
    { ...boundsOf(input), tolerance: input.tolerance },
  );
  const measured = new Set(cells.map(({ model_version }) => model_version));
  const wanted = [...measured].filter((version) => input.versions?.includes(version) ?? true);
  if (wanted.length === 0) return [];
  const worst = input.worst ?? (await worstDevicesOfRange(connection, input));
  return wanted.map((model_version) =>
    feedbackOf(
      { ...input, model_version, worst_devices: worst.get(model_version) ?? [] },
      cells.filter((cell) => cell.model_version === model_version),
    ),
  );
}
