import { z } from 'zod';
import { isoOfMicros, microsSchema, type Micros } from '../../contracts/time';
import { type Ask } from '../database/ask';

/**
 * Start of the latest window that figures count; null while no window is complete. Windows close while questions are asked: with
 * one cut for all of them the figures agree with one another, and with the same questions asked later.
 */
export type Cut = Micros | null;

const cutRow = z.object({ cut: microsSchema.nullable() });

/** The latest window that is complete: feedback speaks of complete windows alone, and rounds are judged on such. */
export async function askCut(ask: Ask): Promise<Cut> {
  const [row] = await ask(
    cutRow,
    `SELECT epoch_us(greatest((SELECT max(window_start) FROM model_feedback WHERE scope = 'window'),
       (SELECT max(window_until) FROM federated_rounds)))::DOUBLE AS cut`,
  );
  return row?.cut ?? null;
}

/** A condition for windows up to the cut, to follow another. */
export function upTo(cut: Cut, column = 'window_start'): string {
  return cut === null
    ? ''
    : ` AND ${column} <= TIMESTAMP '${isoOfMicros(cut).replace('T', ' ').replace('Z', '')}'`;
}
