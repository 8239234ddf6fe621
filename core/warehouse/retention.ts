import { MICROS_PER_MILLI, type Micros } from '../contracts/time';
import { type SerialConnection } from './database/connection';
import { RETENTION_STEP_MICROS } from './limits';
import { addFinishedDays } from './batch/stream-days';
import { STORED_TOLERANCE, sumsOf } from './database/sums';
import { timestamp } from './database/values';

/**
 * Delete the rows of windows that start before `before`, by event time. Their sums stay: of every version and window in
 * `evaluation_rollups`, and of the stream's days in the partials of the batch path (rows of days without partials stay too).
 */
export function expireRows(connection: SerialConnection, before: Micros): Promise<void> {
  const bound = { before: timestamp(before) };
  return connection.transaction(async (inside) => {
    await inside.run(
      `INSERT INTO evaluation_rollups
       SELECT model_version, window_start, ${sumsOf(STORED_TOLERANCE)}
       FROM evaluation_rows WHERE window_start < $before GROUP BY model_version, window_start`,
      bound,
    );
    await inside.run('DELETE FROM evaluation_rows WHERE window_start < $before', bound);
    await inside.run('DELETE FROM expired_rows WHERE before < $before', bound);
    await inside.run(
      'INSERT INTO expired_rows SELECT $before WHERE NOT EXISTS (SELECT 1 FROM expired_rows)',
      bound,
    );
    await inside.run(
      `DELETE FROM stream_analysis_results
       WHERE window_start < $before
         AND 'stream/' || strftime(window_start, '%Y-%m-%d') IN (SELECT file FROM batch_files)`,
      bound,
    );
  });
}

/** Deletes old rows as event time advances, a step at a time. */
export class Retention {
  private expired: Micros = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly connection: SerialConnection,
    private readonly keepMillis: number,
  ) {}

  /** @param completeBefore bound of complete windows. Most calls do nothing. */
  async advance(completeBefore: Micros): Promise<void> {
    const bound = completeBefore - this.keepMillis * MICROS_PER_MILLI;
    if (!Number.isFinite(bound) || bound < this.expired + RETENTION_STEP_MICROS) return;
    await addFinishedDays(this.connection, completeBefore);
    await expireRows(this.connection, bound);
    this.expired = bound;
  }
}
