import { Context } from '@temporalio/activity';
import { type z } from 'zod';

/** What an earlier try of this activity said in its last heartbeat; undefined on the first try, or when it said something else. */
export function heartbeatProgress<Schema extends z.ZodType>(schema: Schema): z.infer<Schema> | undefined {
  return schema.safeParse(Context.current().info.heartbeatDetails).data;
}

/** Well within the heartbeat time-outs of workflows/limits.ts, so that one that is late costs nothing. */
export const HEARTBEAT_MS = 5_000;

/**
 * Say "still alive" on a timer while `work` runs, however long one piece of it takes.
 * @param progress what a retry goes on from; left out: nothing.
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
