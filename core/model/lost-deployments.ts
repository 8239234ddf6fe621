import { SETTINGS_KEY } from '../contracts/deployments';
import { FedloopError } from '../contracts/errors';
import { TOPICS } from '../contracts/topics';
import { type Kafka } from '../platform/kafka';

const HINT = 'Bring the topic back as it was, or start anew under another fleet name.';

/**
 * Settings are the first that a fleet logs. Where its workers have written rows and there are none, the topic was emptied: a fleet that went on there
 * would make other rows than before, and give its versions names that others were measured under.
 * @throws FedloopError `InvalidData`
 */
export async function requireNewFleet(kafka: Pick<Kafka, 'offsets'>): Promise<void> {
  const [claims, results] = await Promise.all([
    kafka.offsets(TOPICS.checkpoints.name),
    kafka.offsets(TOPICS.analysis.name),
  ]);
  if (![claims, results].every((ends) => ends.some(({ high }) => high > 0))) return;
  const message = `the fleet has run, but ${TOPICS.deployments.name} no longer has its settings: the topic was emptied or made anew`;
  throw new FedloopError('InvalidData', message, { hint: HINT });
}

/** Who goes on with what it knew has another fleet than one that starts. */
export function deploymentsReplaced(): FedloopError {
  const message = `${TOPICS.deployments.name} was made anew while it was followed: versions and settings are gone from it`;
  return new FedloopError('InvalidData', message, { hint: HINT });
}

/** The record that every process goes by is there, and is none. A cause that says what to do stands for itself. */
export function settingsUnreadable(cause: FedloopError): FedloopError {
  if (cause.hint !== undefined) return cause;
  const message = `the record "${SETTINGS_KEY}" of ${TOPICS.deployments.name}, which has the fleet's settings, cannot be read: ${cause.message}`;
  return new FedloopError(cause.code, message, { cause, hint: 'Write it again from a copy of the topic.' });
}
