import { Context } from '@temporalio/activity';
import { type z } from 'zod';

/** Details of the last heartbeat of an earlier attempt at this activity; undefined on the first attempt, or when they do not fit. */
export function heartbeatProgress<Schema extends z.ZodType>(schema: Schema): z.infer<Schema> | undefined {
  return schema.safeParse(Context.current().info.heartbeatDetails).data;
}

/** Well within the heartbeat time-outs of workflows/limits.ts, so that a late heartbeat costs nothing. */
export const HEARTBEAT_MS = 5_000;

/**
 * Heartbeat on a timer while `work` runs, however long one piece of it takes.
 * @param progress details of each heartbeat, which a retry starts from; left out: none.
 */
export async function withHeartbeat<Result>(
  everyMillis: number,
  work: () => Promise<Result>,
  progress?: () => unknown,
): Promise<Result> {
  const timer = setInterval(() => {
    Context.current().heartbeat(progress?.());
  }, everyMillis);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
