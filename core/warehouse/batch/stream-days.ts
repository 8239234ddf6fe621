import { z } from 'zod';
import { DEFAULT_TASK } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { timestamp } from '../database/values';
import { changePartials } from './merge';

/** Stands in the place of a file's name in `batch_partials` and `batch_files`. */
const STREAM = 'stream/';

const dayRow = z.object({ day: z.string() });

/**
 * Add finished days of the stream to `batch_analysis_results`, each as a file with partials by device. Their readings are not
 * stored, but count, mean and deviation of every window are, for the target alone; those of a day follow exactly. A day is
 * finished when its last window is complete, and counted again when readings have come to it since: a partition that was idle delivers what its
 * devices had kept.
 * @returns the days that were counted, as `YYYY-MM-DD`.
 */
export async function addFinishedDays(
  connection: SerialConnection,
  completeBefore: Micros,
): Promise<string[]> {
  if (completeBefore === Number.NEGATIVE_INFINITY) return [];
  return connection.transaction(async (inside) => {
    const rows = await inside.rows(
      dayRow,
      `WITH days AS (
         SELECT strftime(window_start, '%Y-%m-%d') AS day, sum(count) AS readings FROM stream_analysis_results
         WHERE date_trunc('day', window_start) + INTERVAL 1 DAY <= $before GROUP BY ALL
       )
       SELECT day FROM days LEFT JOIN batch_files ON file = '${STREAM}' || day
       WHERE file IS NULL OR readings > rows ORDER BY day`,
      { before: timestamp(completeBefore) },
    );
    const days = rows.map(({ day }) => day);
    const files = days.map((day) => STREAM + day);
    await changePartials(inside, files, async () => {
      for (const day of days) {
        for (const table of ['batch_partials', 'batch_files'])
          await inside.run(`DELETE FROM ${table} WHERE file = '${STREAM}' || $day`, { day });
        await inside.run(
          `INSERT INTO batch_partials
           WITH windows AS (SELECT * FROM stream_analysis_results WHERE window_start::DATE = $day::DATE),
                means AS (SELECT device_id, sum(count * avg) / sum(count) AS mean FROM windows GROUP BY device_id)
           SELECT '${STREAM}' || $day, device_id, $day::DATE,
                  coalesce((SELECT task->>'$.target.sensor' FROM stream_settings), $sensor), sum(count), any_value(mean),
                  sum((count - 1) * stddev ** 2 + count * (avg - mean) ** 2), min(min), max(max)
           FROM windows JOIN means USING (device_id) GROUP BY device_id`,
          { day, sensor: DEFAULT_TASK.target.sensor },
        );
        await inside.run(
          `INSERT INTO batch_files
           SELECT '${STREAM}' || $day, 0, $day::TIMESTAMP + INTERVAL 1 DAY, '', coalesce(sum(n), 0), 0
           FROM batch_partials WHERE file = '${STREAM}' || $day`,
          { day },
        );
      }
    });
    return days;
  });
}
