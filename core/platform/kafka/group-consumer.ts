import { type Batch, type Consumer, type Kafka as KafkaJs } from 'kafkajs';
import { isWrittenByUs, maxRecordBytes } from '../../contracts/topics';
import { recordsOf } from './records';
import { type TopicNames } from './topic-names';
import { type GroupConsumer, type GroupConsumerOptions } from './types';

/** A member learns by a heartbeat that another has joined; the other one has no partitions until then. */
const HEARTBEAT_INTERVAL_MS = 250;
/** Two heartbeats may be lost before the broker takes a member for dead. */
export const HEARTBEATS_PER_SESSION = 3;
/**
 * How long a client may not know of partitions that were added. Shorter than a session: a worker that takes a new partition over waits until
 * all of its clients know it.
 */
export const METADATA_MAX_AGE_MS = 3_000;
/** How long a fetch of quiet partitions waits. A heartbeat, or a partition that was resumed, waits for the fetch that runs. */
const MAX_WAIT_MS = 100;
/**
 * A fetch has a cost of its own, and what is large has left the processor's caches before it is read. At full speed a stream worker took
 * about 30 % more processor time an event with 256 KiB, and about 20 % more with 4 MiB.
 */
const MAX_BYTES_PER_PARTITION = 2 * 1_048_576;
/** Of all partitions together, which is what a fetch may take of memory. */
const MAX_BYTES = 10 * MAX_BYTES_PER_PARTITION;

/**
 * Join a consumer group. The caller alone commits offsets. The library delivers a batch to its end when the partition was taken away
 * meanwhile, so the caller has to check `isCurrent` before the work of a batch takes effect.
 */
export async function consumeGroup(
  client: KafkaJs,
  options: GroupConsumerOptions & { readonly sessionTimeoutMillis: number },
  names: TopicNames,
): Promise<GroupConsumer> {
  let assigned: Promise<void> = Promise.resolve();
  let assignment = new Map<string, readonly number[]>();
  const consumer = client.consumer({
    groupId: options.groupId,
    sessionTimeout: options.sessionTimeoutMillis,
    heartbeatInterval: Math.min(HEARTBEAT_INTERVAL_MS, options.sessionTimeoutMillis / HEARTBEATS_PER_SESSION),
    maxWaitTimeInMs: MAX_WAIT_MS,
    maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    maxBytes: MAX_BYTES,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    readUncommitted: options.topics.every((topic) => isWrittenByUs(names.bare(topic))),
  });
  const control = controlOf(consumer, names);
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assignment = new Map(
      Object.entries(payload.memberAssignment).map(([topic, partitions]) => [
        names.bare(topic),
        [...partitions],
      ]),
    );
    const current = assignment;
    assigned = assigned.then(() => options.onAssigned(current, control));
    assigned.catch((cause: unknown) => {
      options.onFailure(cause instanceof Error ? cause : new Error(String(cause)));
    });
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) options.onFailure(payload.error);
  });
  await orDisconnect(consumer, async () => {
    await consumer.connect();
    await consumer.subscribe({ topics: [...options.topics], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: options.concurrency ?? 1,
      eachBatch: async (payload) => {
        const { batch } = payload;
        await assigned;
        const topic = names.bare(batch.topic);
        await options.onBatch({
          topic,
          partition: batch.partition,
          from: fetchedFrom(batch),
          records: recordsOf(batch.messages, maxRecordBytes(topic)),
          next: Number(batch.lastOffset()) + 1,
          highWatermark: Number(batch.highWatermark),
          heartbeat: () => payload.heartbeat(),
          isCurrent: () =>
            payload.isRunning() &&
            !payload.isStale() &&
            (assignment.get(topic)?.includes(batch.partition) ?? false),
          resolve: (next) => {
            payload.resolveOffset(String(next - 1));
          },
        });
        await payload.heartbeat();
      },
    });
  });
  return control;
}

/** What cannot start must not go on trying: its connections would keep the process alive. */
export async function orDisconnect(consumer: Consumer, start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (cause) {
    await consumer.disconnect().catch(() => undefined);
    throw cause;
  }
}

/** Stands beside every offset that we commit. Who sets a group's offsets by hand leaves no note. */
export const COMMIT_NOTE = 'fedloop';

/** The library's types leave out what its batches know. */
function fetchedFrom(batch: Batch): number {
  return 'fetchedOffset' in batch ? Number(batch.fetchedOffset) : NaN;
}

function controlOf(consumer: Consumer, names: TopicNames): GroupConsumer {
  let heartbeatAt = -Infinity;
  consumer.on(consumer.events.HEARTBEAT, () => {
    heartbeatAt = performance.now();
  });
  return {
    seek(topic, partition, offset) {
      consumer.seek({ topic: names.full(topic), partition, offset: String(offset) });
    },
    pause(topic, partitions) {
      consumer.pause([{ topic: names.full(topic), partitions: [...partitions] }]);
    },
    resume(topic, partitions) {
      consumer.resume([{ topic: names.full(topic), partitions: [...partitions] }]);
    },
    heartbeatAt: () => heartbeatAt,
    async commit(positions) {
      const places = positions.map((at) => ({
        ...at,
        topic: names.full(at.topic),
        offset: String(at.offset),
        metadata: COMMIT_NOTE,
      }));
      await consumer.commitOffsets(places);
    },
    stop: () => consumer.disconnect(),
  };
}
