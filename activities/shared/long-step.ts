import { Context } from '@temporalio/activity';
import { FedloopError } from '../../core/contracts/errors';
import { type Kafka } from '../../core/platform/kafka';
import { HEARTBEAT_MS, withHeartbeat } from './heartbeat';

/** Brokers that are back are noticed within a second; looking costs nothing. */
const LOOK_EVERY_MS = 1_000;

/** What tells whether brokers are away. */
export type Brokers = Pick<Kafka, 'trouble'>;

/**
 * Heartbeat while a long step works. Where it fails because brokers went away, it waits until they answer, and fails only then: however long
 * they are away, that costs one of the step's attempts, and the next one finds them.
 * @param progress details of each heartbeat, which a retry starts from; left out: none.
 * @throws FedloopError `KafkaUnavailable` with the sentence that names the broker.
 */
export function longStep<Result>(
  brokers: Brokers,
  work: () => Promise<Result>,
  progress?: () => unknown,
): Promise<Result> {
  return withHeartbeat(HEARTBEAT_MS, () => outlastBrokers(brokers, work), progress);
}

async function outlastBrokers<Result>(brokers: Brokers, work: () => Promise<Result>): Promise<Result> {
  const context = Context.current();
  try {
    return await work();
  } catch (cause) {
    const trouble = brokers.trouble();
    const isFinal = cause instanceof FedloopError && !cause.retryable;
    if (trouble === undefined || isFinal || context.cancellationSignal.aborted) throw cause;
    while (brokers.trouble() !== undefined) await context.sleep(LOOK_EVERY_MS);
    throw new FedloopError('KafkaUnavailable', trouble.message, { hint: trouble.hint, cause });
  }
}
