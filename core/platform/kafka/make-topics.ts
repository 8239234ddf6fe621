import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, type ITopicMetadata } from 'kafkajs';
import { FedloopError, messageOf } from '../../contracts/errors';
import { refusalIn } from './kafka-trouble';
import { missingTopic } from './topic-offsets';
import { type Topic } from './types';

/** New topics are ready within a second; on a machine that is busy starting things, within some more. */
const TOPICS_READY_MS = 60_000;
const TOPICS_READY_POLL_MS = 50;

export async function createTopics(admin: Admin, topics: readonly Topic[]): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = topics.filter((spec) => !existing.has(spec.name));
  if (missing.length === 0) return;
  await admin.createTopics({
    // The library's own waiting fails when the controller has made a topic that its broker does not know yet.
    waitForLeaders: false,
    topics: missing.map((spec) => ({
      topic: spec.name,
      numPartitions: spec.partitions,
      configEntries: [
        { name: 'cleanup.policy', value: spec.cleanup },
        // Simulated events carry a fixed past: retention by time would delete them at once, and a strict
        // time-stamp check would refuse them.
        { name: 'retention.ms', value: '-1' },
        { name: 'message.timestamp.before.max.ms', value: String(Number.MAX_SAFE_INTEGER) },
        // Who stamps records with a clock far ahead gets a verdict on each event, and no refusal of all that is sent with it.
        { name: 'message.timestamp.after.max.ms', value: String(Number.MAX_SAFE_INTEGER) },
      ],
    })),
  });
  const names = missing.map(({ name }) => name);
  await untilReady(admin, names);
}

export async function partitionsOf(admin: Admin, topic: string): Promise<number | undefined> {
  // Asked for by name, a topic that is missing is looked for again and again.
  if (!(await admin.listTopics()).includes(topic)) return undefined;
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  return topics[0]?.partitions.length;
}

/** @param after looks after topics that are missing: such topics are made again with as many partitions */
export async function growTopics(
  admin: Admin,
  topics: readonly string[],
  count: number,
  after: { grown(topics: readonly string[], partitions: number): void },
): Promise<void> {
  after.grown(topics, count);
  const small = await topicsWithFewer(admin, topics, count);
  if (small.length === 0) return;
  try {
    await admin.createPartitions({ topicPartitions: small.map((topic) => ({ topic, count })) });
  } catch (cause) {
    // Another process may have done it first.
    if ((await topicsWithFewer(admin, topics, count)).length > 0) throw cause;
  }
  await untilReady(admin, small);
}

async function topicsWithFewer(
  admin: Admin,
  topics: readonly string[],
  count: number,
): Promise<readonly string[]> {
  const known = await metadataOf(admin, topics);
  return known.filter(({ partitions }) => partitions.length < count).map(({ name }) => name);
}

/** @throws FedloopError `KafkaUnavailable` where one of them is missing, which the library leaves out. */
async function metadataOf(admin: Admin, topics: readonly string[]): Promise<readonly ITopicMetadata[]> {
  const { topics: known } = await admin.fetchTopicMetadata({ topics: [...topics] });
  const missing = topics.find((topic) => !known.some(({ name }) => name === topic));
  if (missing !== undefined) throw missingTopic(missing);
  return known;
}

/**
 * Resolves when every partition of the topics has a leader that answers for it. Brokers report a leader shortly before it is ready, and a
 * request that it accepts for some of its partitions and refuses for others is sent again whole, so that records come twice.
 */
async function untilReady(admin: Admin, topics: readonly string[]): Promise<void> {
  const deadline = performance.now() + TOPICS_READY_MS;
  for (;;) {
    try {
      const known = await metadataOf(admin, topics);
      if (known.some(({ partitions }) => partitions.some(({ leader }) => leader < 0)))
        throw new Error('some have no leader');
      await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
      return;
    } catch (cause) {
      if (refusalIn(cause) !== undefined) throw cause;
      if (performance.now() > deadline) {
        const message = `new topics are not ready: ${messageOf(cause)}`;
        throw new FedloopError('KafkaUnavailable', message, { hint: 'Check that all brokers run.', cause });
      }
      await sleep(TOPICS_READY_POLL_MS);
    }
  }
}
