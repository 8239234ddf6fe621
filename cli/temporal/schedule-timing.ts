import { type ScheduleSpec } from '@temporalio/client';
import { FedloopError } from '../../core/contracts/errors';
import { durationMillis } from '../../core/contracts/settings';

/** A shorter interval would only skip runs: a round takes seconds at least. */
const MIN_INTERVAL_MS = 1_000;
/** Temporal lets a shorter time to catch up pass, and takes this one instead. */
const MIN_CATCH_UP_MS = 10_000;
/** Starts of several schedules at one time are spread by this, or by half an interval that is short. */
const DEFAULT_JITTER_MS = 5_000;

/** When and how a schedule starts its workflow: the options of `fedloop schedule set`. */
export interface Timing {
  readonly every?: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly jitter?: string;
  readonly catchUp: string;
  readonly pauseOnFailure: boolean;
  readonly note?: string;
}

/** @throws FedloopError `InvalidInput` for times that no schedule can keep. */
export function specOf({ every, cron, timezone, jitter, catchUp }: Timing): ScheduleSpec {
  if ((every === undefined) === (cron === undefined))
    throw new FedloopError('InvalidInput', 'give --every or --cron, one of the two');
  if (durationMillis(catchUp) < MIN_CATCH_UP_MS)
    throw new FedloopError(
      'InvalidInput',
      `--catch-up must be at least ${MIN_CATCH_UP_MS / 1_000} seconds: Temporal takes no less`,
    );
  const wanted = jitter === undefined ? undefined : durationMillis(jitter);
  const common = { jitter: wanted ?? DEFAULT_JITTER_MS, ...(timezone === undefined ? {} : { timezone }) };
  if (cron !== undefined) return { ...common, cronExpressions: [cron] };
  if (timezone !== undefined)
    throw new FedloopError('InvalidInput', '--timezone belongs to --cron: an interval has no clock');
  const millis = durationMillis(every ?? '');
  if (millis < MIN_INTERVAL_MS) throw new FedloopError('InvalidInput', '--every must be at least a second');
  if (wanted !== undefined && wanted >= millis)
    throw new FedloopError(
      'InvalidInput',
      '--jitter must be shorter than --every: a start that is so late would meet the next one',
    );
  return { jitter: wanted ?? Math.min(DEFAULT_JITTER_MS, millis / 2), intervals: [{ every: millis }] };
}

/** The note of a schedule that was given none. */
export function noteOf(timing: Timing): string {
  return timing.note ?? `${whenOf(timing)}, set by fedloop schedule`;
}

function whenOf({ every, cron, timezone }: Timing): string {
  return every === undefined
    ? `at ${cron ?? ''}${timezone === undefined ? ' (UTC)' : ` (${timezone})`}`
    : `every ${every}`;
}
