import { undecodableSentence } from '../contracts/undecodable';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Source } from '../contracts/source';
import { MICROS_PER_MILLI } from '../contracts/time';
import { microsOfText } from '../contracts/timestamps';
import { foreignTopic, INGEST_GROUP, TOPICS } from '../contracts/topics';
import { type GroupConsumer, type Kafka, type RawBatch, type RawRecord } from '../platform/kafka';
import { endsOf } from '../platform/kafka/topic-offsets';
import { type ExpiredRecords, type FetchedFrom, gapSentence, logGap } from '../platform/kafka/log-gap';
import { type Logger } from '../platform/log';
import { ArrivalOrder } from './arrival-order';
import { type Delivery, type SourceMessage } from './delivery';
import { GroupMember } from './group-member';
import { INGEST_LIMITS } from './limits';
import { assignedState, type PartitionState } from './partition-state';
import { type IngestSource } from './source';

const NO_BYTES = new Uint8Array(0);
/** Between two looks whether the partition that is waited for has sent something. */
const WAIT_MILLIS = 5;
/** A partition that should have more is fetched within milliseconds; one whose broker is away holds up the others for so long only. */
const PATIENCE_MILLIS = 2_000;
/** Records of a partition that wait, above which it is not read any further: some megabytes. */
const RECORDS_TO_PAUSE = 20_000;
/** Records handed on at once: several make a request, and heartbeats are not late. */
const RECORDS_PER_PARCEL = 500;

export interface KafkaSourceOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly from: Source['from'];
  readonly delivery: Delivery;
  readonly log: Logger;
  /** Messages were gone before they were read; they are passed over once this has resolved. */
  readonly onLost: (partition: number, lost: ExpiredRecords) => Promise<void>;
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
  private readonly order = new ArrivalOrder<RawRecord>(({ timestamp }) => Number(timestamp));
  private merging: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: KafkaSourceOptions) {
    const { kafka, log, topic, from } = options;
    this.name = foreignTopic(topic);
    this.member = new GroupMember({
      kafka,
      log,
      topic: this.name,
      prepare: () => this.prepare(from),
      onAssigned: (partitions, consumer) => this.assign(partitions, consumer),
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

  /** A group whose places are gone, with a topic that was made anew or after a long absence, passes over nothing that was sent meanwhile. */
  private async prepare(from: Source['from']): Promise<void> {
    const { kafka, log, topic } = this.options;
    if (from === 'earliest') return;
    if (from !== 'latest') {
      const start = Math.ceil(microsOfText(from) / MICROS_PER_MILLI);
      return kafka.startGroup(INGEST_GROUP, this.name, start);
    }
    const written = await Promise.all(
      [TOPICS.stream.name, TOPICS.ingestRejects.name].map((name) => kafka.offsets(name)),
    );
    if (!written.flat().some(({ high }) => high > 0)) return kafka.startGroup(INGEST_GROUP, this.name, from);
    if ((await kafka.committed(INGEST_GROUP, this.name)).length > 0) return;
    log.warn(
      { topic },
      'the group has lost its places in the topic, which is read from its beginning: what the fleet had before is put aside as late or duplicate',
    );
  }

  /**
   * The group reads on from what is committed: what is under way, or waits here, comes again. Nothing is fetched before that place is known: for one
   * behind the end of the log, which is another one then, the library commits another.
   */
  private async assign(partitions: readonly number[], consumer: GroupConsumer): Promise<void> {
    for (const partition of this.states.keys()) this.order.drop(partition);
    this.states.clear();
    consumer.pause(this.name, partitions);
    const { kafka } = this.options;
    const positions = await kafka.committed(INGEST_GROUP, this.name);
    const starts = await kafka.offsets(this.name);
    for (const partition of partitions) {
      const place = positions.find((position) => position.partition === partition)?.offset;
      const low = endsOf(starts, partition).low;
      const state = assignedState(place, low);
      this.states.set(partition, state);
      // The next record may come after another start.
      if (state.begins < low) await this.noteGap(state, { partition, from: low, highWatermark: low });
    }
    // The library keeps a pause over a rebalance, too.
    consumer.resume(this.name, partitions);
  }

  private async onBatch(batch: RawBatch): Promise<void> {
    const { partition, records, next, highWatermark } = batch;
    const state = this.states.get(partition);
    if (state === undefined || this.halted || !batch.isCurrent()) return;
    await this.noteGap(state, batch);
    if (!this.isOurs(partition, state) || !batch.isCurrent()) return;
    if (records.length > 0) this.order.add(partition, records);
    state.waitingBytes += bytesOf(records);
    state.highWatermark = highWatermark;
    state.read = next;
    state.heardAt = performance.now();
    batch.resolve(next);
    this.followBuffer(partition, state);
    this.merging ??= this.merge()
      .catch((err: unknown) => {
        this.options.log.error({ err }, 'records could not be handed on');
      })
      .finally(() => {
        this.merging = undefined;
      });
  }

  /**
   * What the topic no longer has is counted and said; a log that is another one is read from its beginning. All that was read is committed before,
   * so that whoever notes it again after a crash begins at the same place.
   */
  private async noteGap(
    state: PartitionState,
    batch: FetchedFrom & Pick<RawBatch, 'partition'> & Partial<Pick<RawBatch, 'heartbeat'>>,
  ): Promise<void> {
    const { partition, from } = batch;
    const { topic, log, onLost } = this.options;
    const gap = logGap(state.read > 0 ? state.read : state.begins, batch);
    if (gap === undefined) return;
    log.error({ partition }, gapSentence(topic, partition, gap, 'it is read from its beginning'));
    while (this.isOurs(partition, state) && (state.underWay > 0 || this.order.waiting(partition) > 0)) {
      await sleep(WAIT_MILLIS);
      await batch.heartbeat?.();
    }
    if (!this.isOurs(partition, state)) return;
    await this.commit();
    if (gap.kind === 'expired') await onLost(partition, gap);
    else if (from > 0) await onLost(partition, { kind: 'expired', from: 0, until: from });
    Object.assign(state, assignedState(undefined, from));
    await this.commit();
  }

  /** Whether a partition is still ours to read, and was not assigned anew meanwhile. */
  private isOurs(partition: number, state: PartitionState): boolean {
    return !this.halted && this.states.get(partition) === state;
  }

  /** Hand on what waits, the records that arrived first before the others. */
  private async merge(): Promise<void> {
    const { delivery } = this.options;
    while (!this.halted) {
      if (delivery.isFull) await delivery.whenRoom();
      else if (this.isWaiting()) await sleep(WAIT_MILLIS);
      else {
        const run = this.order.take(RECORDS_PER_PARCEL);
        if (run === undefined) return;
        for (const records of partsOf(run.items)) {
          await delivery.whenRoom();
          this.handOn(run.partition, records);
          // Batches and heartbeats get their turn.
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    }
  }

  private handOn(partition: number, records: readonly RawRecord[]): void {
    const state = this.states.get(partition);
    const last = records.at(-1);
    if (state === undefined || last === undefined) return;
    const delivered = this.options.delivery.deliver(messagesOf(partition, records, this.options.topic));
    state.underWay += 1;
    state.waitingBytes -= bytesOf(records);
    this.followBuffer(partition, state);
    // Deliveries end in the order in which they began.
    void delivered.then(() => {
      state.delivered = Number(last.offset) + 1;
      state.underWay -= 1;
    });
  }

  /** Whether a partition may still have records that arrived before those that wait. One that sends nothing is not waited for long. */
  private isWaiting(): boolean {
    if (this.states.size < 2) return false;
    const now = performance.now();
    return [...this.states].some(([partition, { read, highWatermark, heardAt }]) => {
      const mayHaveMore = read === 0 || read < highWatermark;
      return mayHaveMore && this.order.waiting(partition) === 0 && now - heardAt < PATIENCE_MILLIS;
    });
  }

  private followBuffer(partition: number, state: PartitionState): void {
    const waiting = this.order.waiting(partition);
    // Which is larger depends on the messages.
    const fill = Math.max(waiting / RECORDS_TO_PAUSE, state.waitingBytes / INGEST_LIMITS.waitingBytes);
    if (!state.isPaused && fill > 1) {
      state.isPaused = true;
      this.member.consumer?.pause(this.name, [partition]);
    } else if (state.isPaused && fill < 0.5) {
      state.isPaused = false;
      this.member.consumer?.resume(this.name, [partition]);
    }
  }

  private async commit(): Promise<void> {
    const due = [...this.states].filter(([, { delivered, committed }]) => delivered > committed);
    if (due.length === 0 || this.member.consumer === undefined) return;
    const places = due.map(([partition, { delivered: offset }]) => ({ topic: this.name, partition, offset }));
    try {
      await this.member.consumer.commit(places);
      for (const [index, [, state]] of due.entries()) {
        const offset = places[index]?.offset ?? 0;
        // Meanwhile the log may have become another one, whose offsets begin anew.
        if (offset <= state.delivered) state.committed = Math.max(state.committed, offset);
      }
    } catch (err) {
      // During a rebalance the broker refuses: the next commit has it, or another worker reads it again.
      this.options.log.debug({ err }, 'the offsets were not committed');
    }
  }
}

function bytesOf(records: readonly RawRecord[]): number {
  return records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

/** Records in parts that are mapped in one go. */
function* partsOf(records: readonly RawRecord[]): Iterable<readonly RawRecord[]> {
  let part: RawRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    if (part.length > 0 && bytes + bytesOf([record]) > INGEST_LIMITS.bytesAtOnce) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += bytesOf([record]);
  }
  if (part.length > 0) yield part;
}

function* messagesOf(
  partition: number,
  records: readonly RawRecord[],
  topic: string,
): Iterable<SourceMessage> {
  for (const { value, offset, timestamp, undecodable } of records) {
    yield {
      bytes: value ?? NO_BYTES,
      topic,
      partition,
      offset: Number(offset),
      timestampMillis: Number(timestamp),
      ...(undecodable === undefined ? {} : { undecodable: undecodableSentence(Number(offset), undecodable) }),
    };
  }
}
