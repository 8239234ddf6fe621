import { z } from 'zod';
import { DEFAULT_TASK } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type SerialConnection, type Statements } from '../database/connection';
import { timestamp } from '../database/values';
import { changePartials } from './merge';

/** Stands in the place of a file's name in `batch_partials` and `batch_files`. */
const STREAM = 'stream/';

/** Rows of the days before are gone, or go with the count that follows: also where the bound of complete windows has gone back since. */
const GONE_BEFORE = "SELECT date_trunc('day', max(before)) FROM expired_rows";

const dayRow = z.object({ day: z.string(), file: z.string() });

/**
 * Add finished days of the stream to `batch_analysis_results`, each as a file with partials by device. Their readings are not
 * stored, but count, mean and deviation of every window are, for the target alone; those of a day follow exactly. A day is
 * finished when its last window is complete. A partition that was idle delivers what its devices had kept: a day that readings have come to
 * is counted again, or, where its rows have gone for their age, these readings become a file of their own and go as well.
 * @returns the days that were counted, as `YYYY-MM-DD`.
 */
export function addFinishedDays(connection: SerialConnection, completeBefore: Micros): Promise<string[]> {
  return connection.transaction((inside) => countFinishedDays(inside, completeBefore));
}

/** As `addFinishedDays`, in a transaction that does more. */
export async function countFinishedDays(inside: Statements, completeBefore: Micros): Promise<string[]> {
  if (completeBefore === Number.NEGATIVE_INFINITY) return [];
  const days = await inside.rows(
    dayRow,
    `WITH days AS (
         SELECT date_trunc('day', window_start) AS start, sum(count) AS readings,
                start < coalesce((${GONE_BEFORE}), '-infinity') AS gone
         FROM stream_analysis_results GROUP BY start
       ), known AS (
         SELECT strftime(start, '%Y-%m-%d') AS day, '${STREAM}' || day AS first, readings, rows, file IS NOT NULL AS counted, gone
         FROM days LEFT JOIN batch_files ON file = '${STREAM}' || strftime(start, '%Y-%m-%d')
         WHERE gone OR start + INTERVAL 1 DAY <= $before
       )
       SELECT day,
              CASE WHEN gone AND counted THEN first || '/' || (SELECT count(*) FROM batch_files WHERE starts_with(file, first)) ELSE first END AS file
       FROM known WHERE gone OR NOT counted OR readings > rows ORDER BY day`,
    { before: timestamp(completeBefore) },
  );
  await changePartials(
    inside,
    days.map(({ file }) => file),
    async () => {
      for (const { day, file } of days) await countDay(inside, day, file);
    },
  );
  await dropCountedDays(inside);
  return days.map(({ day }) => day);
}

/**
 * Delete the stream's rows of days that are counted and whose time has gone: by whole days, so that a day is either there or gone. The transaction
 * must have counted these days.
 */
export function dropCountedDays(inside: Statements): Promise<void> {
  return inside.run(
    `DELETE FROM stream_analysis_results
     WHERE window_start < (${GONE_BEFORE})
       AND '${STREAM}' || strftime(window_start, '%Y-%m-%d') IN (SELECT file FROM batch_files)`,
  );
}

/** Make the partials of what is stored of `day` the content of `file`. */
async function countDay(inside: Statements, day: string, file: string): Promise<void> {
  for (const table of ['batch_partials', 'batch_files'])
    await inside.run(`DELETE FROM ${table} WHERE file = $file`, { file });
  await inside.run(
    `INSERT INTO batch_partials
     WITH windows AS (SELECT * FROM stream_analysis_results WHERE window_start::DATE = $day::DATE),
          means AS (SELECT device_id, sum(count * avg) / sum(count) AS mean FROM windows GROUP BY device_id)
     SELECT $file, device_id, $day::DATE,
            coalesce((SELECT task->>'$.target.sensor' FROM stream_settings), $sensor), sum(count), any_value(mean),
            sum((count - 1) * stddev ** 2 + count * (avg - mean) ** 2), min(min), max(max)
     FROM windows JOIN means USING (device_id) GROUP BY device_id`,
    { day, file, sensor: DEFAULT_TASK.target.sensor },
  );
  await inside.run(
    `INSERT INTO batch_files
     SELECT $file, 0, $day::TIMESTAMP + INTERVAL 1 DAY, '', coalesce(sum(n), 0), 0
     FROM batch_partials WHERE file = $file`,
    { day, file },
  );
}
