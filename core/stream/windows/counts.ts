import { REJECT_REASONS, VERDICTS } from '../../contracts/blocks';

/**
 * Counts of a partition: events read, which is always the sum of the five verdicts and of the events aside, events by verdict, and devices in closed windows that
 * some version should have forecast, and none could. Of windowed events also the values of covariates that were left out: bad ones were no
 * readings, absent ones not sent. With those in windows they add up to a value a covariate and windowed event.
 */
export const COUNTS = ['read', ...VERDICTS, 'no_forecast', 'bad_values', 'absent_values'] as const;
export type Counts = Record<(typeof COUNTS)[number], number>;

/** Events that were refused, for whatever reason. */
export function refusedEvents(counts: Counts): number {
  return REJECT_REASONS.reduce((sum, reason) => sum + counts[reason], 0);
}

export function zeroCounts(): Counts {
  return {
    read: 0,
    windowed: 0,
    late: 0,
    duplicate: 0,
    future: 0,
    malformed: 0,
    no_forecast: 0,
    bad_values: 0,
    absent_values: 0,
  };
}
