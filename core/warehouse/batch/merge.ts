import { VARCHAR } from '@duckdb/node-api';
import { type Statements } from '../database/connection';
import { list } from '../database/values';

/** Change partials of some files with `change`, and merge the device-days again that they have before or after it. */
export async function changePartials(
  inside: Statements,
  files: readonly string[],
  change: () => Promise<void>,
): Promise<void> {
  const noteChanged = (): Promise<void> =>
    inside.run(
      'INSERT INTO changed SELECT DISTINCT device_id, day FROM batch_partials WHERE file IN (SELECT unnest($files))',
      { files: list(files, VARCHAR) },
    );
  await inside.run('CREATE OR REPLACE TEMP TABLE changed (device_id VARCHAR, day DATE)');
  await noteChanged();
  await change();
  await noteChanged();
  await merge(inside);
  await inside.run('DROP TABLE changed');
}

/**
 * Merge the partials of changed device-days over all files: means add up weighted by n, and M2 grows by each part's distance
 * from the common mean (Chan, Golub, LeVeque 1979). Sample STDDEV of one reading is unknown.
 */
async function merge(inside: Statements): Promise<void> {
  await inside.run(
    'DELETE FROM batch_analysis_results WHERE (device_id, day) IN (SELECT (device_id, day) FROM changed)',
  );
  await inside.run(
    `INSERT INTO batch_analysis_results
     WITH parts AS (
       SELECT *, sum(n) OVER same AS total, sum(n * mean ORDER BY file) OVER same / sum(n) OVER same AS common
       FROM batch_partials SEMI JOIN changed USING (device_id, day)
       WINDOW same AS (PARTITION BY device_id, day, sensor)
     )
     SELECT device_id, day, sensor, any_value(common), min(min), max(max),
            CASE WHEN sum(n) > 1 THEN sqrt(sum(m2 + n * (mean - common) ** 2) / (sum(n) - 1)) END, sum(n)
     FROM parts GROUP BY device_id, day, sensor ORDER BY device_id, day, sensor`,
  );
}
