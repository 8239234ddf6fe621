import { z } from 'zod';
import { isoOfMicros, microsSchema, type Micros } from '../../core/contracts/time';
import { type Query } from '../../core/warehouse/database/query';

/**
 * Start of the latest window that figures count; null while no window is complete. Windows close while a report is made: with one
 * cutoff for all its queries the figures agree with one another, and with the same queries asked later.
 */
export type Cutoff = Micros | null;

const cutoffRow = z.object({ cutoff: microsSchema.nullable() });

/** The latest complete window: feedback and rounds use complete windows alone. */
export async function queryCutoff(query: Query): Promise<Cutoff> {
  const [row] = await query(
    cutoffRow,
    `SELECT epoch_us(greatest((SELECT max(window_start) FROM model_feedback WHERE scope = 'window'),
       (SELECT max(window_until) FROM federated_rounds)))::DOUBLE AS cutoff`,
  );
  return row?.cutoff ?? null;
}

/** A condition for windows up to the cutoff, to follow another condition. */
export function upToCutoff(cutoff: Cutoff, column = 'window_start'): string {
  return cutoff === null
    ? ''
    : ` AND ${column} <= TIMESTAMP '${isoOfMicros(cutoff).replace('T', ' ').replace('Z', '')}'`;
}
