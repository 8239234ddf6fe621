import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin } from 'kafkajs';
import { FedloopError } from '../../contracts/errors';
import { type PartitionOffsets } from './types';

/** A broker that has just come back leads its partitions again within seconds; on a busy machine within some more. */
const LEADER_WAIT_MS = 30_000;
const LEADER_POLL_MS = 100;

/** Kafka's errors, by the library's names, while a partition has no leader or another one than the client knows. */
const NO_LEADER_ERRORS: ReadonlySet<unknown> = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/** The topics that each client was asked about. It looks at all of them at once, so that one that is gone fails the questions about the others. */
const asked = new WeakMap<object, Set<string>>();

/**
 * First and next offset of every partition of a topic. The library fails at once when a broker that restarts leads nothing yet, and breaks
 * down when its view of the topic is renewed between its two questions; this function retries until both are answered.
 * @throws FedloopError `KafkaUnavailable` when the brokers do not have the topic, or another one that this client was asked about
 */
export async function topicOffsets(
  admin: Pick<Admin, 'fetchTopicOffsets' | 'listTopics'>,
  topic: string,
): Promise<readonly PartitionOffsets[]> {
  const known = asked.get(admin) ?? new Set();
  asked.set(admin, known.add(topic));
  const deadline = performance.now() + LEADER_WAIT_MS;
  for (;;) {
    try {
      const offsets = await admin.fetchTopicOffsets(topic);
      return offsets.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }));
    } catch (cause) {
      if (isMissing(cause)) {
        const there = new Set(await admin.listTopics());
        const missing = [...known].filter((name) => !there.has(name));
        throw missingTopics(missing.length === 0 ? [topic] : missing, cause);
      }
      if (!(hasNoLeader(cause) || isHalfAnswered(cause)) || performance.now() > deadline) throw cause;
      await sleep(LEADER_POLL_MS);
    }
  }
}

/** Those of one partition; of one that the topic does not have, as of an empty one. */
export function endsOf(
  ends: readonly PartitionOffsets[],
  partition: number,
): Pick<PartitionOffsets, 'low' | 'high'> {
  return ends.find((end) => end.partition === partition) ?? { low: 0, high: 0 };
}

function hasNoLeader(thrown: unknown): boolean {
  return thrown instanceof Error && 'type' in thrown && NO_LEADER_ERRORS.has(thrown.type);
}

/** Whether the brokers do not have a topic: at the bottom of what the library makes of its own retries. */
export function isMissing(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  if ('type' in thrown && thrown.type === 'UNKNOWN_TOPIC_OR_PARTITION') return true;
  return thrown.cause !== thrown && isMissing(thrown.cause);
}

function missingTopics(topics: readonly string[], cause: unknown): FedloopError {
  const named = `the topic${topics.length === 1 ? '' : 's'} ${topics.join(', ')}`;
  return new FedloopError('KafkaUnavailable', `the Kafka brokers do not have ${named}`, {
    hint: 'Start the workers again, which make topics that are missing; what it held is gone with it.',
    cause,
  });
}

/** The library takes apart an answer that it did not get: a plain `TypeError`. */
function isHalfAnswered(thrown: unknown): boolean {
  return thrown instanceof TypeError;
}
