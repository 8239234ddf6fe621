import { VARCHAR } from '@duckdb/node-api';
import { type Statements } from '../database/connection';
import { list } from '../database/values';

/** A merge first notes which device-days change, before and after partials are replaced, and then merges those again. */
export function beginTouching(inside: Statements): Promise<void> {
  return inside.run('CREATE OR REPLACE TEMP TABLE touched (device_id VARCHAR, day DATE)');
}

/** Note the device-days that these files have partials of. */
export async function touch(inside: Statements, files: readonly string[]): Promise<void> {
  await inside.run(
    'INSERT INTO touched SELECT DISTINCT device_id, day FROM batch_partials WHERE file IN (SELECT unnest($files))',
    { files: list(files, VARCHAR) },
  );
}

/**
 * Merge partials of the touched device-days over all files: means add up weighted by n, and M2 grows by each part's
 * distance from the common mean (Chan, Golub, LeVeque 1979). Sample STDDEV of one reading is unknown.
 */
export async function mergeTouched(inside: Statements): Promise<void> {
  await inside.run(
    'DELETE FROM batch_analysis_results WHERE (device_id, day) IN (SELECT (device_id, day) FROM touched)',
  );
  await inside.run(
    `INSERT INTO batch_analysis_results
     WITH parts AS (
       SELECT *, sum(n) OVER same AS total, sum(n * mean ORDER BY file) OVER same / sum(n) OVER same AS common
       FROM batch_partials SEMI JOIN touched USING (device_id, day)
       WINDOW same AS (PARTITION BY device_id, day, sensor)
     )
     SELECT device_id, day, sensor, any_value(common), min(min), max(max),
            CASE WHEN sum(n) > 1 THEN sqrt(sum(m2 + n * (mean - common) ** 2) / (sum(n) - 1)) END, sum(n)
     FROM parts GROUP BY device_id, day, sensor ORDER BY device_id, day, sensor`,
  );
  await inside.run('DROP TABLE touched');
}
