import {
  type GroupConsumer,
  type GroupConsumerOptions,
  type Kafka,
  type OutgoingMessage,
  type RawBatch,
} from '../../../core/platform/kafka';

interface Stored {
  readonly key: string | null;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** As much of a broker as one group consumer and a producer need, all in memory and in order. */
export class FakeKafka {
  private readonly logs = new Map<string, Stored[]>();
  private consumer: GroupConsumerOptions | undefined;
  private readonly next = new Map<string, number>();
  private readonly starts = new Map<string, number>();
  private wakers: (() => void)[] = [];
  /** What the group has committed, by `partition/topic`. */
  readonly committed = new Map<string, number>();
  /** Refuse every commit, as a group does that considers its member dead. */
  refusesCommits = false;
  /** Brokers by name. */
  cluster = 'brokers/';
  /** By topic, as `contracts/log-ids.ts` has them. */
  readonly logIds = new Map<string, string>();
  private refusals = 0;

  constructor(private readonly partitions: number) {}

  append(topic: string, partition: number, value: unknown, extra: Partial<Stored> = {}): void {
    const log = this.log(topic, partition);
    log.push({ key: null, headers: {}, value: Buffer.from(JSON.stringify(value)), ...extra });
  }

  /** JSON values that were sent to a topic without a partition. */
  sent(topic: string): { readonly key: string | null; readonly value: unknown }[] {
    return this.log(topic, 0).map(({ key, value }) => ({
      key,
      value: JSON.parse(value.toString('utf8')) as unknown,
    }));
  }

  /** Resolves once so many messages were sent to a topic. */
  whenSent(topic: string, count: number): Promise<void> {
    return this.when(() => this.log(topic, 0).length >= count);
  }

  /** Resolves once the group has committed this offset or one behind it. */
  whenCommitted(topic: string, partition: number, offset: number): Promise<void> {
    return this.when(() => (this.committed.get(`${partition}/${topic}`) ?? 0) >= offset);
  }

  /** Resolves once a commit was refused. */
  whenRefused(): Promise<void> {
    return this.when(() => this.refusals > 0);
  }

  /** Where the group continues, as if an earlier member had committed it. */
  startFrom(topic: string, partition: number, offset: number): void {
    this.next.set(`${partition}/${topic}`, offset);
  }

  /** Delete the records before an offset, as retention does it. */
  deleteBefore(topic: string, partition: number, offset: number): void {
    this.starts.set(`${partition}/${topic}`, offset);
  }

  /** Delete a topic and make it anew, empty. */
  makeAnew(topic: string, logId: string): void {
    for (let partition = 0; partition < this.partitions; partition += 1)
      this.logs.delete(`${partition}/${topic}`);
    this.logIds.set(topic, logId);
  }

  /** Hand everything that is new to the consumer, all partitions at once, until it has dealt with it. */
  async deliver(): Promise<void> {
    const consumer = this.consumer;
    if (consumer === undefined) throw new Error('nobody consumes');
    for (let again = true; again;) {
      const batches = [...this.logs].flatMap(([name, log]) => {
        const { topic, partition } = split(name);
        if (!consumer.topics.includes(topic)) return [];
        const from = Math.max(this.next.get(name) ?? 0, this.starts.get(name) ?? 0);
        return from < log.length ? [this.batchOf(topic, partition, from)] : [];
      });
      again = batches.length > 0;
      await Promise.all(batches.map((batch) => consumer.onBatch(batch)));
    }
  }

  asKafka(): Kafka {
    const refuse = (): never => {
      throw new Error('not part of this test');
    };
    return {
      identity: () => Promise.resolve(this.cluster),
      createTopics: refuse,
      partitions: refuse,
      growTopics: refuse,
      logId: (topic) => Promise.resolve(this.logIds.get(topic) ?? ''),
      offsetsAt: refuse,
      tail: refuse,
      committed: refuse,
      livingGroups: refuse,
      startGroup: refuse,
      trouble: () => undefined,
      failed: new Promise<never>(() => undefined),
      disconnect: () => Promise.resolve(),
      offsets: (topic) =>
        Promise.resolve(
          Array.from({ length: this.partitions }, (_, partition) => ({
            partition,
            low: this.starts.get(`${partition}/${topic}`) ?? 0,
            high: this.log(topic, partition).length,
          })),
        ),
      producer: () =>
        Promise.resolve({
          send: (topic: string, messages: readonly OutgoingMessage[]) => {
            for (const { key, value, partition } of messages) {
              this.log(topic, partition ?? 0).push({ key, value: Buffer.from(value ?? ''), headers: {} });
            }
            this.wake();
            return Promise.resolve([]);
          },
          disconnect: () => Promise.resolve(),
        }),
      consume: async (options: GroupConsumerOptions): Promise<GroupConsumer> => {
        this.consumer = options;
        const consumer: GroupConsumer = {
          seek: (topic, partition, offset) => {
            this.next.set(`${partition}/${topic}`, offset);
          },
          pause: refuse,
          resume: refuse,
          commit: (positions) => {
            if (this.refusesCommits) {
              this.refusals += 1;
              this.wake();
              return Promise.reject(new Error('The coordinator is not aware of this member'));
            }
            for (const { topic, partition, offset } of positions)
              this.committed.set(`${partition}/${topic}`, offset);
            this.wake();
            return Promise.resolve();
          },
          heartbeatAt: () => 0,
          stop: () => Promise.resolve(),
        };
        const partitions = Array.from({ length: this.partitions }, (_, partition) => partition);
        await options.onAssigned(new Map(options.topics.map((topic) => [topic, partitions])), consumer);
        return consumer;
      },
    };
  }

  private async when(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      await new Promise<void>((resolve) => {
        this.wakers.push(resolve);
      });
    }
  }

  private wake(): void {
    this.wakers.splice(0).forEach((wake) => {
      wake();
    });
  }

  private log(topic: string, partition: number): Stored[] {
    const name = `${partition}/${topic}`;
    const known = this.logs.get(name) ?? [];
    this.logs.set(name, known);
    return known;
  }

  private batchOf(topic: string, partition: number, from: number): RawBatch {
    const log = this.log(topic, partition);
    return {
      topic,
      partition,
      from,
      highWatermark: log.length,
      next: log.length,
      heartbeat: () => Promise.resolve(),
      isCurrent: () => true,
      resolve: (next) => {
        this.next.set(`${partition}/${topic}`, next);
      },
      records: log.slice(from).map(({ key, value, headers }, index) => ({
        offset: String(from + index),
        timestamp: '1600000000000',
        key: key === null ? null : Buffer.from(key),
        value,
        headers,
      })),
    };
  }
}

function split(name: string): { readonly topic: string; readonly partition: number } {
  const at = name.indexOf('/');
  return { topic: name.slice(at + 1), partition: Number(name.slice(0, at)) };
}
