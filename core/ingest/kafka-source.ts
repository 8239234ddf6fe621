import { setTimeout as sleep } from 'node:timers/promises';
import { foreignTopic } from '../contracts/topics';
import { type GroupConsumer, type Kafka, type RawBatch, type RawRecord } from '../platform/kafka';
import { type Source } from '../contracts/source';
import { LogIdWatch } from '../platform/kafka/log-id-watch';
import { type ExpiredRecords, type FetchedFrom, gapSentence, logGap } from '../platform/kafka/log-gap';
import { type Logger } from '../platform/log';
import { ArrivalOrder } from './arrival-order';
import { type Delivery } from './delivery';
import { GroupMember } from './group-member';
import { INGEST_LIMITS } from './limits';
import { assignedState, type PartitionState } from './partition-state';
import { Patience } from './patience';
import { type IngestSource } from './source';
import { type SourceMemory } from './source-memory';
import { type SourcePlace, SourcePlaces } from './source-places';
import { bytesOf, messagesOf, partsOf } from './source-records';
import { skippedSentence } from './loss-message';

/** Between two looks whether the partition that is waited for has sent something. */
const WAIT_MILLIS = 5;
/** Records of a partition that wait, above which it is not read any further: some megabytes. */
const RECORDS_TO_PAUSE = 20_000;
/** Records handed on at once: several make a request, and heartbeats are not late. */
const RECORDS_PER_PARCEL = 500;

export interface KafkaSourceOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly from: Source['from'];
  readonly memory: SourceMemory;
  readonly delivery: Delivery;
  readonly log: Logger;
  /** Messages of this log were gone before they were read; they are passed over once this has resolved. */
  readonly onLost: (partition: number, lost: ExpiredRecords, logId: string) => Promise<void>;
}

/**
 * Reads a topic that is not the deployment's own. Offsets are committed when Kafka has the events: after a crash some messages are read
 * twice. A topic that is missing or a group that fails is tried again, for ever.
 */
export class KafkaSource implements IngestSource {
  private readonly states = new Map<number, PartitionState>();
  private readonly member: GroupMember;
  private readonly places: SourcePlaces;
  private readonly name: string;
  private readonly watch: LogIdWatch;
  private halted = false;
  private readonly order = new ArrivalOrder<RawRecord>(({ timestamp }) => Number(timestamp));
  private readonly patience = new Patience();
  private merging: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: KafkaSourceOptions) {
    const { kafka, log, topic } = options;
    this.name = foreignTopic(topic);
    this.places = new SourcePlaces(options);
    this.watch = new LogIdWatch({
      ...{ kafka, log, topic: this.name },
      expected: () => this.places.logId,
      onReplaced: () => {
        this.onReplaced();
      },
    });
    this.member = new GroupMember({
      kafka,
      log,
      topic: this.name,
      prepare: () => this.places.prepare(),
      onAssigned: (partitions, consumer) => this.assign(partitions, consumer),
      onBatch: (batch) => this.onBatch(batch),
    });
  }

  start(): void {
    this.timer = setInterval(() => void this.commit(), INGEST_LIMITS.commitIntervalMillis);
    this.watch.start();
    this.patience.start();
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
    this.patience.close();
    this.watch.close();
  }

  async close(): Promise<void> {
    await this.commit();
    await this.keepLastPlaces();
    await this.member.stop();
  }

  /**
   * The group reads on from what is committed: what is under way, or waits here, comes again, but where another log has taken the topic's name. Nothing
   * is fetched before that place is known: for one behind the end of the log the library commits another.
   */
  private async assign(partitions: readonly number[], consumer: GroupConsumer): Promise<void> {
    consumer.pause(this.name, partitions);
    // Before the places are looked up: what was read here meanwhile is not taken for skipped.
    await this.keepLastPlaces();
    const { logId, byPartition } = await this.places.assigned(partitions);
    if ([...byPartition.values()].some(({ isNewLog }) => isNewLog)) await this.drained();
    for (const partition of this.states.keys()) this.order.drop(partition);
    this.states.clear();
    this.places.enter(logId);
    for (const [partition, place] of byPartition) await this.take(partition, place, consumer);
    await this.commit();
    // The library keeps a pause over a rebalance, too.
    consumer.resume(this.name, partitions);
  }

  private async take(partition: number, place: SourcePlace, consumer: GroupConsumer): Promise<void> {
    const { begins, committed, low, isNewLog, skipped } = place;
    const { log, topic, onLost } = this.options;
    // A place that another program has set is committed again, with our note.
    const state = assignedState(begins, skipped === undefined ? committed : undefined);
    this.states.set(partition, state);
    if (skipped !== undefined) {
      log.error({ partition }, skippedSentence(topic, partition, skipped));
      await onLost(partition, skipped, this.places.logId);
    }
    if (isNewLog) {
      log.error({ partition }, `${topic} was deleted and made anew: it is read from its beginning`);
    }
    // What the library begins with may be another place: one of the former log, or the topic's first record.
    if (committed === undefined) consumer.seek(this.name, partition, Math.max(begins, low));
    // The next record may come after another start.
    if (begins < low) await this.noteGap(state, { partition, from: low, highWatermark: low });
  }

  /** All that was read has been handed on, and Kafka has it. */
  private async drained(): Promise<void> {
    const isDone = ([partition, { underWay }]: [number, PartitionState]): boolean =>
      underWay === 0 && this.order.waiting(partition) === 0;
    while (!this.halted && ![...this.states].every(isDone)) await sleep(WAIT_MILLIS);
  }

  /** Another log has taken the place of the one that is read. Its places are looked up, as after a start, when the group is joined again. */
  private onReplaced(): void {
    if (this.member.consumer !== undefined) this.member.joinAgain('it was deleted and made anew');
  }

  private async onBatch(batch: RawBatch): Promise<void> {
    const { partition, records, next, highWatermark } = batch;
    const state = this.states.get(partition);
    if (state === undefined || this.halted || !batch.isCurrent()) return;
    await this.noteGap(state, batch);
    if (!this.isOurs(partition, state) || !batch.isCurrent() || state.isReplaced) return;
    if (records.length > 0) this.order.add(partition, records);
    state.waitingBytes += bytesOf(records);
    state.highWatermark = highWatermark;
    state.read = next;
    state.heardAt = this.patience.look();
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
    const { logId } = this.places;
    const gap = logGap(state.read > 0 ? state.read : state.begins, batch);
    if (gap === undefined) return;
    if (gap.kind === 'replaced' && (await this.places.isReplaced())) {
      state.isReplaced = true;
      this.onReplaced();
      return;
    }
    log.error({ partition }, gapSentence(topic, partition, gap, 'it is read from its beginning'));
    while (this.isOurs(partition, state) && (state.underWay > 0 || this.order.waiting(partition) > 0)) {
      await sleep(WAIT_MILLIS);
      await batch.heartbeat?.();
    }
    if (!this.isOurs(partition, state)) return;
    await this.commit();
    if (gap.kind === 'expired') await onLost(partition, gap, logId);
    else if (from > 0) await onLost(partition, { kind: 'expired', from: 0, until: from }, logId);
    Object.assign(state, assignedState(from, undefined));
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
    return [...this.states].some(
      ([partition, state]) => this.order.waiting(partition) === 0 && this.patience.isDueTo(state),
    );
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

  private async keepLastPlaces(): Promise<void> {
    await this.keepPlaces(true).catch((err: unknown) => {
      this.options.log.debug({ err }, 'the places were not written down');
    });
  }

  /** Write down what is committed, in which log. */
  private async keepPlaces(isLast = false): Promise<void> {
    const begun = [...this.states].filter(([, { begins, committed }]) => committed >= begins);
    const places = begun.map(([partition, { committed: offset }]) => ({ partition, offset }));
    await this.places.keep(places, isLast);
  }

  private async commit(): Promise<void> {
    const due = [...this.states].filter(([, { delivered, committed }]) => delivered > committed);
    if (this.member.consumer === undefined) return;
    const places = due.map(([partition, { delivered: offset }]) => ({ topic: this.name, partition, offset }));
    try {
      if (places.length > 0) await this.member.consumer.commit(places);
      for (const [index, [, state]] of due.entries()) {
        const offset = places[index]?.offset ?? 0;
        // Meanwhile the log may have become another one, whose offsets begin anew.
        if (offset <= state.delivered) state.committed = Math.max(state.committed, offset);
      }
      await this.keepPlaces();
    } catch (err) {
      // During a rebalance the broker refuses: the next commit has it, or another worker reads it again.
      this.options.log.debug({ err }, 'the offsets were not committed');
    }
  }
}
