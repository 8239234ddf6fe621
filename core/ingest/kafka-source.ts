import { setTimeout as sleep } from 'node:timers/promises';
import { type Source } from '../contracts/source';
import { MICROS_PER_MILLI } from '../contracts/time';
import { microsOfText } from '../contracts/timestamps';
import { foreignTopic, INGEST_GROUP } from '../contracts/topics';
import { type Kafka, type RawBatch } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Delivery, type SourceMessage } from './delivery';
import { GroupMember } from './group-member';
import { INGEST_LIMITS } from './limits';
import { type IngestSource } from './source';

const NO_BYTES = new Uint8Array(0);
/** How often a worker that waits for the producer keeps up its membership. */
const WAIT_MILLIS = 250;

/** Where a partition stands. */
interface PartitionState {
  /** Offset after the last record whose events Kafka has. */
  delivered: number;
  committed: number;
  /** Offset after the last record that was read. */
  read: number;
  highWatermark: number;
}

interface KafkaSourceOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly from: Source['from'];
  readonly delivery: Delivery;
  readonly log: Logger;
}

/**
 * Reads a topic that is not the deployment's own. Offsets are committed when Kafka has the events: after a crash some messages are read
 * twice. A topic that is missing or a group that fails is tried again, for ever.
 */
export class KafkaSource implements IngestSource {
  private readonly states = new Map<number, PartitionState>();
  private readonly member: GroupMember;
  private readonly name: string;
  private halted = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: KafkaSourceOptions) {
    const { kafka, log, topic, from } = options;
    this.name = foreignTopic(topic);
    this.member = new GroupMember({
      kafka,
      log,
      topic: this.name,
      prepare: async () => {
        if (from === 'earliest') return;
        const start = from === 'latest' ? from : Math.ceil(microsOfText(from) / MICROS_PER_MILLI);
        await kafka.startGroup(INGEST_GROUP, this.name, start);
      },
      onAssigned: (partitions) => {
        this.assign(partitions);
      },
      onBatch: (batch) => this.onBatch(batch),
    });
  }

  start(): void {
    this.timer = setInterval(() => void this.commit(), INGEST_LIMITS.commitIntervalMillis);
    this.member.start();
  }

  get problem(): string | undefined {
    return this.member.problem;
  }

  lags(): ReadonlyMap<number, number> {
    const lags = new Map<number, number>();
    for (const [partition, { highWatermark, read }] of this.states)
      if (read > 0) lags.set(partition, Math.max(0, highWatermark - read));
    return lags;
  }

  pause(): void {
    this.halted = true;
    this.member.halted();
    clearInterval(this.timer);
  }

  async close(): Promise<void> {
    await this.commit();
    await this.member.stop();
  }

  /** Only partitions of the assignment are committed: another worker may be further in the others. */
  private assign(partitions: readonly number[]): void {
    for (const partition of this.states.keys())
      if (!partitions.includes(partition)) this.states.delete(partition);
    for (const partition of partitions) {
      const state = { delivered: 0, committed: 0, read: 0, highWatermark: 0 };
      // The group reads on from what is committed, so that what is under way counts from here again.
      this.states.set(partition, state);
    }
  }

  private async onBatch(batch: RawBatch): Promise<void> {
    const { partition, records } = batch;
    const { delivery, topic } = this.options;
    const last = records.at(-1);
    const state = this.states.get(partition);
    if (last === undefined || state === undefined || this.halted || !batch.isCurrent()) return;
    const next = Number(last.offset) + 1;
    const delivered = delivery.deliver(messagesOf(batch, topic));
    state.highWatermark = batch.highWatermark;
    state.read = next;
    // Deliveries end in the order in which they began.
    void delivered.then(() => {
      state.delivered = next;
    });
    batch.resolve(last.offset);
    while (delivery.isFull && batch.isCurrent() && !this.isHalted()) {
      await Promise.race([delivery.whenRoom(), sleep(WAIT_MILLIS)]);
      await batch.heartbeat();
    }
  }

  /** For checks after a wait: the compiler assumes that the field itself has not changed. */
  private isHalted(): boolean {
    return this.halted;
  }

  private async commit(): Promise<void> {
    const due = [...this.states].filter(([, { delivered, committed }]) => delivered > committed);
    if (due.length === 0 || this.member.consumer === undefined) return;
    const places = due.map(([partition, { delivered: offset }]) => ({ topic: this.name, partition, offset }));
    try {
      await this.member.consumer.commit(places);
      for (const [index, [, state]] of due.entries())
        state.committed = places[index]?.offset ?? state.committed;
    } catch (err) {
      // During a rebalance the broker refuses: the next commit has it, or another worker reads it again.
      this.options.log.debug({ err }, 'the offsets were not committed');
    }
  }
}

function* messagesOf({ partition, records }: RawBatch, topic: string): Iterable<SourceMessage> {
  for (const { value, offset, timestamp } of records) {
    yield {
      bytes: value ?? NO_BYTES,
      topic,
      partition,
      offset: Number(offset),
      timestampMillis: Number(timestamp),
    };
  }
}
