import { randomUUID } from 'node:crypto';
import { ServiceError, type Client, type ScheduleOptions } from '@temporalio/client';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { hasGrpcStatus } from '../../workers/grpc-status';

/**
 * A date that no year has, such as 31 February, is a valid cron expression. Temporal alone knows when one starts something, and only of a schedule that it has: one that is
 * paused and removed again.
 * @throws FedloopError `InvalidInput`
 */
export async function requireStarts(client: Client, options: ScheduleOptions, cron: string): Promise<void> {
  const scheduleId = `${options.scheduleId}-looked-at-${randomUUID()}`;
  try {
    const handle = await client.schedule.create({ ...options, scheduleId, state: { paused: true } });
    const { info } = await handle.describe().finally(() => handle.delete());
    if (info.nextActionTimes.length > 0) return;
  } catch (thrown) {
    throw refusalOf(thrown);
  }
  throw new FedloopError('InvalidInput', `--cron "${cron}" never starts anything: no day to come fits it`);
}

/** What was thrown, or `InvalidInput` where Temporal refuses the schedule. */
export function refusalOf(thrown: unknown): unknown {
  // The SDK parses cron expressions before it calls the server.
  if (thrown instanceof TypeError || thrown instanceof RangeError)
    return new FedloopError('InvalidInput', `Temporal refuses the schedule: ${thrown.message}`, {
      cause: thrown,
    });
  const cause: unknown = thrown instanceof ServiceError ? thrown.cause : undefined;
  // The server has read the request and refuses it, such as a cron expression that is none.
  if (!hasGrpcStatus(cause, 'invalidArgument')) return thrown;
  const details = 'details' in cause && typeof cause.details === 'string' ? cause.details : messageOf(cause);
  return new FedloopError('InvalidInput', `Temporal refuses the schedule: ${details}`, { cause });
}
