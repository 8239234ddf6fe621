import { randomUUID } from 'node:crypto';
import { type Admin, type Kafka as KafkaJs } from 'kafkajs';
import { toIncoming } from './records';
import { type Tail, type TailOptions } from './types';

/** How long a fetch waits for the first byte: the latency of a quiet topic. */
const MAX_WAIT_MS = 50;
/** Partitions worked on at once: enough that one slow partition does not hold up the rest. */
const CONCURRENCY = 4;

/**
 * Follow a whole topic from one process, outside any shared group. The client cannot be assigned partitions by hand,
 * so each tail is the only member of a group of its own, which is deleted when the tail closes.
 */
export async function tailTopic(client: KafkaJs, admin: Admin, options: TailOptions): Promise<Tail> {
  const groupId = `tail-${options.topic}-${randomUUID()}`;
  const atStart = await admin.fetchTopicOffsets(options.topic);
  const progress = new ReadProgress();
  if (options.from === 'end')
    for (const { partition, high } of atStart) progress.advance(partition, Number(high) - 1);

  const consumer = client.consumer({ groupId, maxWaitTimeInMs: MAX_WAIT_MS, allowAutoTopicCreation: false });
  await consumer.connect();
  await consumer.subscribe({ topics: [options.topic], fromBeginning: true });
  const joined = new Promise<void>((resolve) => {
    consumer.on(consumer.events.GROUP_JOIN, () => {
      if (options.from === 'end') {
        for (const { partition } of atStart)
          consumer.seek({ topic: options.topic, partition, offset: String(progress.next(partition)) });
      }
      resolve();
    });
  });
  await consumer.run({
    autoCommit: false,
    partitionsConsumedConcurrently: CONCURRENCY,
    eachBatch: async (payload) => {
      const { batch } = payload;
      // After a rejoin the group, which has no offsets, starts over; what was seen is not handed out again.
      const next = progress.next(batch.partition);
      const records = batch.messages.filter((message) => Number(message.offset) >= next);
      if (records.length > 0)
        await options.onRecords(records.map((message) => toIncoming(batch.partition, message)));
      // Compaction leaves gaps, so progress is an offset, not a count.
      progress.advance(batch.partition, Number(batch.lastOffset()));
      await payload.heartbeat();
    },
  });
  await joined;

  const reached = (partition: number, offset: number): Promise<void> => progress.reached(partition, offset);
  const allOf = async (ends: Awaited<ReturnType<Admin['fetchTopicOffsets']>>): Promise<void> => {
    await Promise.all(
      ends
        .filter(({ low, high }) => Number(low) < Number(high))
        .map(({ partition, high }) => reached(partition, Number(high) - 1)),
    );
  };
  return {
    caughtUp: allOf(atStart),
    sync: async () => allOf(await admin.fetchTopicOffsets(options.topic)),
    reached,
    async close() {
      await consumer.disconnect();
      // An empty group is only clutter on the broker; not being able to delete it harms nobody.
      await admin.deleteGroups([groupId]).catch(() => undefined);
    },
  };
}

/** How far each partition has been read, and who waits for it to get somewhere. */
class ReadProgress {
  private readonly last = new Map<number, number>();
  private waiting: { readonly partition: number; readonly offset: number; readonly resolve: () => void }[] =
    [];

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
    return new Promise((resolve) => this.waiting.push({ partition, offset, resolve }));
  }
}
