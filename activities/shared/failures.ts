import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { FedloopError, messageWithHint } from '../../core/contracts/errors';

type Activity = (...args: never[]) => Promise<unknown>;

/**
 * Give every FedloopError to Temporal under its code, so that retry policies and callers can distinguish them; any other error stays
 * a failure that is tried again. An activity that was interrupted by its cancellation ends as cancelled.
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
          // A worker that stops cancels its activities. Reported as cancelled, the step goes to another worker; reported as failed, it
          // would end the round.
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
