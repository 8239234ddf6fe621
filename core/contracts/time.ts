import { z } from 'zod';

/**
 * Event time. Microseconds since 1970-01-01T00:00:00Z as a JavaScript number: exact up to the year 2255, and far
 * cheaper on the hot path than BigInt.
 */
export type Micros = number;

export const microsSchema = z.int();

export const MICROS_PER_MILLI = 1_000;
export const MICROS_PER_SECOND = 1_000_000;

/** Start of the tumbling window that `at` lies in; right for times before 1970 too. */
export function windowStartOf(at: Micros, windowMicros: Micros): Micros {
  return Math.floor(at / windowMicros) * windowMicros;
}

/** ISO 8601 in UTC with all six decimals that carry information: `2020-01-01T00:00:30Z`, `…30.000250Z`. */
export function isoOfMicros(at: Micros): string {
  const micros = ((at % MICROS_PER_SECOND) + MICROS_PER_SECOND) % MICROS_PER_SECOND;
  const second = new Date((at - micros) / MICROS_PER_MILLI).toISOString().slice(0, 19);
  return micros === 0 ? `${second}Z` : `${second}.${String(micros).padStart(6, '0')}Z`;
}
