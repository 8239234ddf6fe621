import { VERDICTS } from '../../contracts/blocks';

/**
 * Counts of a partition: events read, which is always the sum of the five verdicts and of the events aside, events by verdict, and devices
 * in closed windows that some version should have forecast, and none could.
 */
export const COUNTS = ['read', ...VERDICTS, 'no_forecast'] as const;
export type Counts = Record<(typeof COUNTS)[number], number>;

export function zeroCounts(): Counts {
  return { read: 0, windowed: 0, late: 0, duplicate: 0, future: 0, malformed: 0, no_forecast: 0 };
}
