import {
  type CommittedPlace,
  type GroupConsumer,
  type GroupConsumerOptions,
  type IncomingRecord,
  type Kafka,
  type OutgoingMessage,
  type PartitionOffsets,
  type Position,
  type Producer,
  type Tail,
  type TailOptions,
  type Topic,
} from '../../../core/platform/kafka';

/** A broker in memory: as much of Kafka as a fleet needs, without time in it. */
export class MemoryKafka implements Kafka {
  private readonly logs = new Map<string, IncomingRecord[][]>();
  private readonly tails = new Set<TailOptions>();
  private readonly lows = new Map<string, number>();
  /** Ids of topics; others tell none. */
  readonly ids = new Map<string, string>();
  /** What every group has committed. */
  places: readonly (Position & Partial<CommittedPlace>)[] = [];
  /** Where groups were told to begin. */
  readonly begun: ('latest' | number)[] = [];

  constructor(topics: Readonly<Record<string, number>>) {
    for (const [name, partitions] of Object.entries(topics)) {
      this.logs.set(
        name,
        Array.from({ length: partitions }, () => []),
      );
    }
  }

  /** Everything that was sent to a topic, by partition. */
  records(name: string): readonly (readonly IncomingRecord[])[] {
    return this.logs.get(name) ?? [];
  }

  append(name: string, messages: readonly OutgoingMessage[]): void {
    for (const message of messages) {
      const partition = message.partition ?? 0;
      const log = this.logs.get(name)![partition]!;
      const record: IncomingRecord = {
        partition,
        offset: log.length,
        timestampMillis: message.timestampMillis ?? 0,
        key: message.key === null ? null : Buffer.from(message.key),
        value: message.value === null ? null : Buffer.from(message.value),
        headers: message.headers ?? {},
      };
      log.push(record);
      for (const tail of this.tails) if (tail.topic === name) void tail.onRecords([record]);
    }
  }

  /** Delete a topic with all that it holds. */
  remove(name: string): void {
    this.logs.delete(name);
  }

  /** Let go what stands before this offset. It stays in `records`. */
  deleteBefore(name: string, partition: number, offset: number): void {
    this.lows.set(`${name}/${partition}`, offset);
  }

  partitions(name: string): Promise<number | undefined> {
    return Promise.resolve(this.logs.get(name)?.length);
  }

  logId(name: string): Promise<string> {
    return Promise.resolve(this.ids.get(name) ?? '');
  }

  growTopics(topics: readonly string[], count: number): Promise<void> {
    for (const name of topics) {
      const logs = this.logs.get(name);
      while (logs !== undefined && logs.length < count) logs.push([]);
    }
    return Promise.resolve();
  }

  /** Memory does not fail. */
  readonly failed = new Promise<never>(() => undefined);

  offsetsAt(name: string, timestampMillis: number): Promise<readonly Position[]> {
    return Promise.resolve(
      this.records(name).map((log, partition) => {
        const found = log.findIndex((record) => record.timestampMillis >= timestampMillis);
        return { partition, offset: found < 0 ? log.length : found };
      }),
    );
  }

  offsets(name: string): Promise<readonly PartitionOffsets[]> {
    return Promise.resolve(
      this.records(name).map((log, partition) => ({
        partition,
        low: this.lows.get(`${name}/${partition}`) ?? 0,
        high: log.length,
      })),
    );
  }

  startGroup(_groupId: string, _topic: string, from: 'latest' | number): Promise<void> {
    this.begun.push(from);
    return Promise.resolve();
  }

  committed(): Promise<readonly CommittedPlace[]> {
    return Promise.resolve(this.places.map((place) => ({ isOurs: true, ...place })));
  }

  livingGroups(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  producer(): Promise<Producer> {
    return Promise.resolve({
      send: (name, messages) => {
        const positions = messages.map(({ partition = 0 }) => {
          return { partition, offset: this.records(name)[partition]?.length ?? 0 };
        });
        this.append(name, messages);
        return Promise.resolve(positions);
      },
      disconnect: () => Promise.resolve(),
    });
  }

  async tail(options: TailOptions): Promise<Tail> {
    for (const log of this.records(options.topic)) if (log.length > 0) await options.onRecords(log);
    this.tails.add(options);
    return {
      caughtUp: Promise.resolve(),
      sync: () => Promise.resolve(),
      reached: () => Promise.resolve(),
      close: () => {
        this.tails.delete(options);
        return Promise.resolve();
      },
    };
  }

  consume(options: GroupConsumerOptions): Promise<GroupConsumer> {
    const topic = options.topics[0]!;
    const from = new Map<number, number>();
    const consumer: GroupConsumer = {
      seek: (_, partition, offset) => void from.set(partition, offset),
      pause: () => undefined,
      resume: () => undefined,
      commit: () => Promise.resolve(),
      heartbeatAt: () => 0,
      stop: () => Promise.resolve(),
    };
    const deliver = async (): Promise<void> => {
      const assignment = new Map([[topic, this.records(topic).map((_, partition) => partition)]]);
      await options.onAssigned(assignment, consumer);
      for (const [partition, log] of this.records(topic).entries()) {
        await options.onBatch({
          topic,
          partition,
          from: from.get(partition) ?? 0,
          highWatermark: log.length,
          next: log.length,
          heartbeat: () => Promise.resolve(),
          isCurrent: () => true,
          resolve: () => undefined,
          records: log.slice(from.get(partition) ?? 0).map(({ offset, timestampMillis, key, value }) => ({
            offset: String(offset),
            timestamp: String(timestampMillis),
            key,
            value,
          })),
        });
      }
    };
    setImmediate(() => {
      deliver().catch(options.onFailure);
    });
    return Promise.resolve(consumer);
  }

  identity(): Promise<string> {
    return Promise.resolve('memory/');
  }

  createTopics(topics: readonly Topic[]): Promise<void> {
    for (const { name, partitions } of topics) {
      // As a broker does it: what is there stays.
      if (this.logs.has(name)) continue;
      this.logs.set(
        name,
        Array.from({ length: partitions }, () => []),
      );
    }
    return Promise.resolve();
  }

  trouble(): undefined {
    return undefined;
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }
}
