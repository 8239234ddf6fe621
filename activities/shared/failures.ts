import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { FedloopError, messageWithHint } from '../../core/contracts/errors';

type Activity = (...args: never[]) => Promise<unknown>;

/**
 * Hand every FedloopError to Temporal under its code, so that retry policies and callers can tell them apart; whatever
 * else is thrown stays a failure that is tried again. One that a cancellation has called off is cancelled.
 */
export function withFailureCodes<Activities extends { readonly [Name in keyof Activities]: Activity }>(
  activities: Activities,
): Activities & Record<string, Activity> {
  return Object.fromEntries(
    Object.entries<Activity>(activities).map(([name, activity]) => [
      name,
      async (...args: never[]) => {
        try {
          return await activity(...args);
        } catch (thrown) {
          if (!(thrown instanceof FedloopError)) throw thrown;
          // Work that was called off says so in Temporal's own words: a worker that stops then hands its step on to another, where a
          // failure would end the whole round.
          if (thrown.code === 'Interrupted' && Context.current().cancellationSignal.aborted)
            return Context.current().cancelled;
          throw ApplicationFailure.create({
            type: thrown.code,
            message: messageWithHint(thrown),
            nonRetryable: !thrown.retryable,
            cause: thrown,
          });
        }
      },
    ]),
  ) as Activities & Record<string, Activity>;
}
