import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FedloopError, messageOf, messageWithHint } from '../../core/contracts/errors';
import { machineTroubleIn } from '../../core/contracts/machine-trouble';

/** A slip in the code does not mend itself. What comes and goes, as a library's time-out, does within so many tries; a minute with their pauses. */
const TRIES_OF_UNKNOWN = 8;

/** An error that nobody has thought of, after its last try. */
function isUnknown(thrown: unknown): boolean {
  const { info, cancellationSignal } = Context.current();
  const isTemporals = thrown instanceof ApplicationFailure || thrown instanceof CancelledFailure;
  return !isTemporals && !passes(thrown) && !cancellationSignal.aborted && info.attempt >= TRIES_OF_UNKNOWN;
}

/** Of brokers that are away, and of a machine that lacks something: it passes, however long that takes. */
function passes(thrown: unknown): boolean {
  const isOfBrokers = thrown instanceof Error && thrown.name.startsWith('KafkaJS');
  return isOfBrokers || machineTroubleIn(messageOf(thrown)) !== undefined;
}

function forGood(thrown: unknown): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Internal',
    message: `${messageOf(thrown)} (after ${TRIES_OF_UNKNOWN} tries)`,
    nonRetryable: true,
    ...(thrown instanceof Error ? { cause: thrown } : {}),
  });
}

type Activity = (...args: never[]) => Promise<unknown>;

/**
 * Give every FedloopError to Temporal under its code, so that retry policies and callers can distinguish them; any other error is
 * tried again a few times, and then fails the step. An activity that was interrupted by its cancellation ends as cancelled.
 * @param mustComplete activities that change what serves, or record it: half of what they do is worse than a long wait, whatever the error.
 */
export function withFailureCodes<Activities extends { readonly [Name in keyof Activities]: Activity }>(
  activities: Activities,
  mustComplete: readonly (keyof Activities)[] = [],
): Activities & Record<string, Activity> {
  const isPatient = (name: string): boolean => mustComplete.some((known) => known === name);
  return Object.fromEntries(
    Object.entries<Activity>(activities).map(([name, activity]) => [
      name,
      async (...args: never[]) => {
        try {
          return await activity(...args);
        } catch (thrown) {
          if (!(thrown instanceof FedloopError))
            throw isUnknown(thrown) && !isPatient(name) ? forGood(thrown) : thrown;
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
