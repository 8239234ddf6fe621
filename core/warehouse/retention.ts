import { z } from 'zod';
import { MICROS_PER_MILLI, type Micros } from '../contracts/time';
import { type SerialConnection } from './database/connection';
import { KEPT_WINDOWS, RETENTION_QUORUM, RETENTION_STEP_MICROS } from './limits';
import { countFinishedDays, dropCountedDays } from './batch/stream-days';
import { servedSumsOf, STORED_TOLERANCE, sumsOf } from './database/sums';
import { timestamp } from './database/values';

/**
 * Delete the rows of windows that start before `before`, by event time, and count the days that are finished in the same transaction: rows that
 * come meanwhile are neither counted nor deleted. Their sums stay: of every version and window in `evaluation_rollups` (which names a window again
 * where rows of it came later), and of the stream's days in the partials of the batch path (rows of days without partials stay too).
 */
export function expireRows(
  connection: SerialConnection,
  before: Micros,
  completeBefore: Micros,
): Promise<void> {
  const bound = { before: timestamp(before) };
  return connection.transaction(async (inside) => {
    await countFinishedDays(inside, completeBefore);
    await inside.run(
      `INSERT INTO evaluation_rollups BY NAME
       SELECT model_version, window_start, ${sumsOf(STORED_TOLERANCE)}, ${servedSumsOf(STORED_TOLERANCE)}
       FROM evaluation_rows WHERE window_start < $before GROUP BY model_version, window_start`,
      bound,
    );
    await inside.run('DELETE FROM evaluation_rows WHERE window_start < $before', bound);
    await inside.run('DELETE FROM expired_rows WHERE before < $before', bound);
    await inside.run(
      'INSERT INTO expired_rows SELECT $before WHERE NOT EXISTS (SELECT 1 FROM expired_rows)',
      bound,
    );
    await dropCountedDays(inside);
  });
}

const agreedRow = z.object({ devices: z.int(), agreed: z.int().nullable() });

/**
 * Start of the newest window that several devices have reached, so that one clock that is ahead lets nothing go. Infinity for a fleet too
 * small to have several.
 */
async function agreedWindow(connection: SerialConnection): Promise<Micros> {
  const [row] = await connection.rows(
    agreedRow,
    `SELECT count(*) AS devices,
            list_reverse_sort(list(latest))[least(count(*), greatest(${RETENTION_QUORUM}, ceil(count(*) / 100.0)))::INTEGER] AS agreed
     FROM (SELECT max(window_start) AS latest FROM stream_analysis_results GROUP BY device_id)`,
  );
  return row === undefined || row.devices < RETENTION_QUORUM ? Infinity : (row.agreed ?? Infinity);
}

const neededRow = z.object({ needed: z.int().nullable() });

/**
 * Start of the oldest window that is still asked for, however old it is: of the newest `keptWindows`, and of all since a candidate came into force, whose
 * round waits for its windows. Infinity where nothing is.
 */
async function neededFrom(connection: SerialConnection, keptWindows: number): Promise<Micros> {
  const [row] = await connection.rows(
    neededRow,
    `SELECT least(
       (SELECT min(window_start) FROM (SELECT DISTINCT window_start FROM evaluation_rows ORDER BY ALL DESC LIMIT ${keptWindows})),
       (SELECT min(from_window) FROM stream_activations JOIN model_versions USING (model_version) WHERE stage = 'candidate')
     ) AS needed`,
  );
  return row?.needed ?? Infinity;
}

/**
 * Deletes old rows as event time advances, a step at a time. Rows that are gone do not come back, so the time that they are too old for is
 * nobody's word alone: windows are complete, several devices have reached it, and the clock of this machine has as well. What a round or a check is
 * still measured on stays.
 */
export class Retention {
  private expired: Micros = Number.NEGATIVE_INFINITY;
  private judged: Micros = Number.NEGATIVE_INFINITY;

  /** @param now the clock on the wall, in milliseconds */
  constructor(
    private readonly connection: SerialConnection,
    private readonly keepMillis: number,
    private readonly now: () => number = Date.now,
    private readonly keptWindows = KEPT_WINDOWS,
  ) {}

  /** @param completeBefore bound of complete windows. Most calls do nothing. */
  async advance(completeBefore: Micros): Promise<void> {
    const reached = Math.min(completeBefore, this.now() * MICROS_PER_MILLI);
    if (!Number.isFinite(reached) || reached < this.judged + RETENTION_STEP_MICROS) return;
    const old = Math.min(reached, await agreedWindow(this.connection)) - this.keepMillis * MICROS_PER_MILLI;
    const bound = Math.min(old, await neededFrom(this.connection, this.keptWindows));
    if (bound >= this.expired + RETENTION_STEP_MICROS) {
      await expireRows(this.connection, bound, completeBefore);
      this.expired = bound;
    }
    this.judged = reached;
  }
}
