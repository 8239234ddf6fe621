import { randomUUID } from 'node:crypto';
import { type Admin, type Kafka as KafkaJs } from 'kafkajs';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type Logger } from '../log';
import { HEARTBEATS_PER_SESSION } from './group-consumer';
import { toIncoming } from './records';
import { topicOffsets } from './topic-offsets';
import { type Tail, type TailOptions } from './types';

/**
 * How long a fetch of a quiet topic waits; a record that comes ends the wait at once. A tail that closes waits for the fetch that runs, and every
 * fetch costs both sides some processor time, for as long as nothing happens.
 */
const MAX_WAIT_MS = 250;
/** Partitions worked on at once: enough that one slow partition does not hold up the rest. */
const CONCURRENCY = 4;

/**
 * Follow a whole topic from one process, outside any shared group. The client cannot be assigned partitions by hand,
 * so each tail is the only member of a group of its own, which is deleted when the tail closes. After an outage the broker
 * waits for the member that it remembers, which is never to come back: the tail goes on when that one's session is over.
 */
export async function tailTopic(
  client: KafkaJs,
  admin: Admin,
  options: TailOptions & { readonly sessionTimeoutMillis: number },
  log: Logger,
): Promise<Tail> {
  const groupId = `tail-${options.topic}-${randomUUID()}`;
  const atStart = await topicOffsets(admin, options.topic);
  const progress = new ReadProgress();
  if (options.from === 'end')
    for (const { partition, high } of atStart) progress.advance(partition, Number(high) - 1);

  const consumer = client.consumer({
    groupId,
    sessionTimeout: options.sessionTimeoutMillis,
    heartbeatInterval: options.sessionTimeoutMillis / HEARTBEATS_PER_SESSION,
    maxWaitTimeInMs: MAX_WAIT_MS,
    allowAutoTopicCreation: false,
  });
  const failed = new Promise<never>((_, reject) => {
    progress.onFailure(reject);
  });
  failed.catch(() => undefined);
  const giveUp = (cause: unknown): void => {
    log.error({ err: cause, topic: options.topic }, 'the topic is not followed any further');
    progress.fail(
      new FedloopError(
        'KafkaUnavailable',
        `${options.topic} is not followed any further: ${messageOf(cause)}`,
        {
          hint: 'The log says why; start the process again.',
          cause,
        },
      ),
    );
  };
  // A mere reconnect starts over by itself; whatever ends the consumer for good must not leave anybody waiting.
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    if (!payload.restart) giveUp(payload.error);
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [options.topic], fromBeginning: true });
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => {
      // The group commits no offsets: without this a tail that joins again would read its topic from the start.
      for (const { partition } of atStart) {
        const offset = progress.next(partition);
        if (offset > 0) consumer.seek({ topic: options.topic, partition, offset: String(offset) });
      }
      resolve();
    });
  });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: CONCURRENCY,
    eachBatch: async (payload) => {
      const { batch } = payload;
      // A partition that was added meanwhile starts over when the group is joined again; what was seen is not handed out twice.
      const next = progress.next(batch.partition);
      const records = batch.messages.filter((message) => Number(message.offset) >= next);
      if (progress.hasFailed) return;
      try {
        if (records.length > 0)
          await options.onRecords(records.map((message) => toIncoming(batch.partition, message)));
      } catch (cause) {
        // The library would deliver the batch again, for ever; what was half taken in must not come twice.
        giveUp(cause);
        return;
      }
      // Compaction leaves gaps, so progress is an offset, not a count.
      progress.advance(batch.partition, Number(batch.lastOffset()));
      await payload.heartbeat();
    },
  });
  await Promise.race([joined, failed]);

  const reached = (partition: number, offset: number): Promise<void> => progress.reached(partition, offset);
  const allOf = async (ends: Awaited<ReturnType<Admin['fetchTopicOffsets']>>): Promise<void> => {
    await Promise.all(
      ends
        .filter(({ low, high }) => Number(low) < Number(high))
        .map(({ partition, high }) => reached(partition, Number(high) - 1)),
    );
  };
  const caughtUp = allOf(atStart);
  // Not everybody waits for it; then its failure must not count as unhandled.
  caughtUp.catch(() => undefined);
  return {
    caughtUp,
    sync: async () => allOf(await topicOffsets(admin, options.topic)),
    reached,
    async close() {
      await consumer.disconnect();
      // An empty group is only clutter on the broker; not being able to delete it harms nobody.
      await admin.deleteGroups([groupId]).catch(() => undefined);
    },
  };
}

interface Waiter {
  readonly partition: number;
  readonly offset: number;
  readonly resolve: () => void;
  readonly reject: (cause: Error) => void;
}

/** How far each partition has been read, and who waits for it to get somewhere. After a failure nobody waits any more. */
class ReadProgress {
  private readonly last = new Map<number, number>();
  private waiting: Waiter[] = [];
  private failure: Error | undefined;
  private listener: (cause: Error) => void = () => undefined;

  get hasFailed(): boolean {
    return this.failure !== undefined;
  }

  next(partition: number): number {
    return (this.last.get(partition) ?? -1) + 1;
  }

  advance(partition: number, offset: number): void {
    if (offset < this.next(partition)) return;
    this.last.set(partition, offset);
    const arrived = this.waiting.filter(
      (waiter) => waiter.partition === partition && waiter.offset <= offset,
    );
    this.waiting = this.waiting.filter((waiter) => !arrived.includes(waiter));
    for (const waiter of arrived) waiter.resolve();
  }

  reached(partition: number, offset: number): Promise<void> {
    if (offset < this.next(partition)) return Promise.resolve();
    if (this.failure !== undefined) return Promise.reject(this.failure);
    return new Promise((resolve, reject) => this.waiting.push({ partition, offset, resolve, reject }));
  }

  onFailure(listener: (cause: Error) => void): void {
    this.listener = listener;
  }

  fail(cause: Error): void {
    if (this.failure !== undefined) return;
    this.failure = cause;
    const waiting = this.waiting;
    this.waiting = [];
    for (const { reject } of waiting) reject(cause);
    this.listener(cause);
  }
}
