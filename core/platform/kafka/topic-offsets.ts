import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin } from 'kafkajs';
import { FedloopError } from '../../contracts/errors';
import { missingTrouble } from './kafka-trouble';
import { type PartitionOffsets, type Position } from './types';

/** A broker that has just come back leads its partitions again within seconds; on a busy machine within some more. */
const LEADER_WAIT_MS = 30_000;
const LEADER_POLL_MS = 100;

/** Kafka's errors, by the library's names, while a partition has no leader or another one than the client knows. */
const NO_LEADER_ERRORS: ReadonlySet<unknown> = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);

type AskingAdmin = Pick<Admin, 'fetchTopicOffsets' | 'listTopics'>;

/**
 * First and next offset of every partition of a topic.
 * @throws FedloopError `KafkaUnavailable` when the brokers do not have the topic
 */
export async function topicOffsets(admin: AskingAdmin, topic: string): Promise<readonly PartitionOffsets[]> {
  const offsets = await answered(admin, topic, () => admin.fetchTopicOffsets(topic));
  return offsets.map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }));
}

/**
 * Offset of every partition's first record with that timestamp or a later one; the end where there is none.
 * @param timestampMillis since 1970
 * @throws FedloopError `KafkaUnavailable` when the brokers do not have the topic
 */
export async function topicOffsetsAt(
  admin: AskingAdmin & Pick<Admin, 'fetchTopicOffsetsByTimestamp'>,
  topic: string,
  timestampMillis: number,
): Promise<readonly Position[]> {
  const ask = () => admin.fetchTopicOffsetsByTimestamp(topic, timestampMillis);
  const offsets = await answered(admin, topic, ask);
  return offsets.map(({ partition, offset }) => ({ partition, offset: Number(offset) }));
}

/**
 * The library fails at once when a broker that restarts leads nothing yet, and breaks down when its view of the topic is renewed between two of
 * its questions, or has no such topic: it is asked again until all is answered.
 */
async function answered<Answer>(
  admin: AskingAdmin,
  topic: string,
  ask: () => Promise<Answer>,
): Promise<Answer> {
  const deadline = performance.now() + LEADER_WAIT_MS;
  for (;;) {
    try {
      return await ask();
    } catch (cause) {
      if (isMissing(cause)) throw missingTopic(topic, cause);
      if (isHalfAnswered(cause) && !(await admin.listTopics()).includes(topic))
        throw missingTopic(topic, cause);
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

/** @returns an error `KafkaUnavailable` that names the topic. */
export function missingTopic(topic: string, cause?: unknown): FedloopError {
  const { message, hint } = missingTrouble(topic);
  return new FedloopError('KafkaUnavailable', message, { hint, cause });
}

/** The library takes apart an answer that it did not get, as that about no partition is: a plain `TypeError`. */
function isHalfAnswered(thrown: unknown): boolean {
  return thrown instanceof TypeError;
}
