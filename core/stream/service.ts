import { type Environment } from '../contracts/config';
import { type StreamSettings } from '../contracts/settings';
import { STREAM_GROUP, TOPICS } from '../contracts/topics';
import { type Deployments } from '../model/deployments';
import { type GroupConsumer, type Kafka, type Producer, type RawBatch } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Registry } from '../platform/metrics';
import { Claims } from './ownership/claims';
import { type DevicePasts, followDevicePasts } from './ownership/history-snapshots';
import { type AssignedPartition, type PartitionStatus } from './assigned-partition';
import { AssignedPartitions } from './assigned-partitions';
import { OUTBOX_CAPACITY_BYTES, RECLAIM_AFTER_MS, TICK_MS } from './limits';
import { type StreamMetrics, streamMetrics } from './metrics';
import { type ModelForecaster, modelForecaster } from './forecasts/model-forecaster';
import { Outbox } from './ownership/outbox';
import { SinkWatch } from './backpressure/sink-watch';

export interface StreamServiceOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly settings: StreamSettings;
  readonly deployments: Deployments;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface StreamStatus {
  /** Told to take in nothing for the time being. */
  readonly paused: boolean;
  readonly partitions: readonly PartitionStatus[];
}

export interface StreamService {
  /** Drain, write checkpoints, leave the group. */
  stop(): Promise<void>;
  /** Rejects when the service cannot go on; never resolves. */
  readonly failed: Promise<never>;
  status(): StreamStatus;
  /** Drain and take in nothing more: state and results are with the broker when this resolves. Partitions are kept. */
  pause(): Promise<void>;
  /** Go on where `pause` has stopped. */
  resume(): void;
}

/** Join the group of stream workers and turn the events of this worker's partitions into rows, exactly once. */
export async function startStreamService(options: StreamServiceOptions): Promise<StreamService> {
  const { kafka, settings, log } = options;
  const producer = await kafka.producer('outage');
  const claims = await Claims.open(kafka, producer, settings, log);
  const pasts = await followDevicePasts(kafka, settings.task, log);
  const worker = new StreamWorker(options, producer, claims, pasts);
  await worker.join();
  return worker;
}

class StreamWorker implements StreamService {
  readonly failed: Promise<never>;
  private reject: (cause: Error) => void = () => undefined;
  /** Stopped, or failed: nothing is taken in any more. */
  private halted = false;
  private paused = false;
  private readonly assigned: AssignedPartitions;
  private readonly outbox: Outbox;
  private readonly sinks: SinkWatch;
  private readonly metrics: StreamMetrics;
  private readonly models: ModelForecaster;
  private consumer: GroupConsumer | undefined;
  private ticking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopFollowing: () => void = () => undefined;

  constructor(
    private readonly options: StreamServiceOptions,
    private readonly producer: Producer,
    private readonly claims: Claims,
    private readonly pasts: DevicePasts,
  ) {
    const { kafka, deployments, log, registry } = options;
    this.failed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    // The service's holder waits on it; until then a failure must not count as unhandled.
    this.failed.catch(() => undefined);
    this.outbox = new Outbox(producer, OUTBOX_CAPACITY_BYTES, this.fail, (topic, seconds) => {
      // Blocks are handed over the moment their window closes; rejects and checkpoints belong to no window.
      if (topic === TOPICS.analysis.name || topic === TOPICS.evaluations.name)
        this.metrics.acknowledged(seconds);
    });
    this.sinks = new SinkWatch(kafka, log, (partitions) => {
      this.followSinks();
      for (const partition of partitions) if (this.assigned.has(partition)) this.logSink(partition);
    });
    this.metrics = streamMetrics(registry, () => this.assigned.all().map(({ owner }) => owner), {
      outboxBytes: () => this.outbox.pendingBytes,
      sinkLag: (partition) => this.sinks.lagOf(partition),
      isPaused: {
        sink: (partition) => this.sinks.isHeldBack(partition),
        producer: () => this.outbox.isFull,
      },
    });
    this.models = modelForecaster((version) => deployments.find(version)?.model);
    const { outbox, metrics } = this;
    const forecaster = this.models.forecast;
    this.assigned = new AssignedPartitions({ claims, pasts, deployments, outbox, metrics, forecaster, log });
  }

  async join(): Promise<void> {
    const { kafka, deployments } = this.options;
    this.timer = setInterval(() => {
      if (this.ticking !== undefined || this.halted) return;
      this.ticking = this.tick()
        .catch(this.fail)
        .finally(() => {
          this.ticking = undefined;
        });
    }, TICK_MS);
    this.stopFollowing = deployments.onChange(() => {
      for (const partition of this.assigned.all()) this.followVersions(partition).catch(this.fail);
    });
    await kafka.consume({
      groupId: STREAM_GROUP,
      topics: [TOPICS.stream.name],
      onAssigned: (assignment, group) => this.onAssigned(assignment, group),
      onBatch: (batch) => this.onBatch(batch),
      onFailure: this.fail,
    });
  }

  status(): StreamStatus {
    return { paused: this.paused, partitions: this.assigned.all().map((partition) => partition.status()) };
  }

  async pause(): Promise<void> {
    this.paused = true;
    await this.ticking;
    for (const partition of this.assigned.all())
      if (partition.owner.checkpointDue) await this.checkpoint(partition);
    await this.outbox.settled();
  }

  resume(): void {
    for (const partition of this.assigned.all()) partition.lastRecordAt = Date.now();
    this.paused = false;
  }

  async stop(): Promise<void> {
    // A stop in the middle of trouble must not hide the trouble: recovery deals with whatever was not written.
    const warn = (cause: unknown): void => {
      this.options.log.warn({ err: cause }, 'not everything could be written while stopping');
    };
    this.halted = true;
    clearInterval(this.timer);
    this.stopFollowing();
    this.sinks.close();
    await this.ticking;
    for (const partition of this.assigned.all())
      if (partition.owner.checkpointDue) await this.checkpoint(partition).catch(warn);
    await this.consumer?.stop();
    await this.outbox.settled().catch(warn);
    await Promise.all([this.claims.close(), this.pasts.close(), this.models.release()]);
    await this.producer.disconnect();
  }

  /** An engine that was interrupted half-way must not be fed any further: the process ends, and recovery starts afresh. */
  private readonly fail = (thrown: unknown): void => {
    this.halted = true;
    this.reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
  };

  /** Asked after a wait, in which much may have happened. */
  private isHalted(): boolean {
    return this.halted;
  }

  private async onAssigned(
    assignment: ReadonlyMap<string, readonly number[]>,
    group: GroupConsumer,
  ): Promise<void> {
    this.consumer = group;
    const partitions = assignment.get(TOPICS.stream.name) ?? [];
    await this.assigned.assign(partitions, (partition, isNew) => {
      const { number } = partition;
      if (isNew && this.sinks.isHeldBack(number)) this.logSink(number);
      group.seek(TOPICS.stream.name, number, partition.owner.next);
      this.followVersions(partition).catch(this.fail);
    });
    // The library keeps a pause over a rebalance, also of a partition that was away meanwhile.
    this.followSinks();
  }

  private async onBatch(batch: RawBatch): Promise<void> {
    while (this.paused && !this.halted && batch.isCurrent()) {
      await sleep(TICK_MS);
      await batch.heartbeat();
    }
    const partition = this.assigned.get(batch.partition);
    const last = batch.records.at(-1);
    if (partition === undefined || last === undefined || this.halted || !batch.isCurrent()) return;
    partition.owner.highWatermark = batch.highWatermark;
    partition.lastRecordAt = Date.now();
    await this.ingest(partition, batch).catch(this.fail);
    if (this.isHalted()) return;
    if (!partition.owner.isOwner) return this.reclaim(batch);
    batch.resolve(last.offset);
    while (this.outbox.isFull) {
      // The broker is behind: nothing more is fetched until it has caught up, and the membership is kept meanwhile.
      await Promise.race([this.outbox.whenRoom(), sleep(TICK_MS)]);
      await batch.heartbeat();
    }
  }

  private async ingest(partition: AssignedPartition, { records }: RawBatch): Promise<void> {
    const { owner } = partition;
    await owner.run(() => owner.ingest(records));
    await this.followVersions(partition);
    if (partition.isCheckpointDue) await this.checkpoint(partition);
  }

  /**
   * A claim that was made late, by a worker that was frozen meanwhile, can stand above the rightful one. The broker knows
   * whose the partition is: when it still answers our heartbeat, the partition is ours, and is claimed again.
   */
  private async reclaim(batch: RawBatch): Promise<void> {
    await sleep(RECLAIM_AFTER_MS);
    await batch.heartbeat();
    if (!batch.isCurrent()) return;
    const acquired = await this.assigned.acquire(batch.partition);
    this.consumer?.seek(TOPICS.stream.name, batch.partition, acquired.owner.next);
  }

  private followVersions({ owner }: AssignedPartition): Promise<void> {
    return owner.run(() => owner.followVersions());
  }

  private async checkpoint(partition: AssignedPartition): Promise<void> {
    const { owner } = partition;
    await owner.run(async () => {
      const offset = await partition.checkpoint();
      this.metrics.checkpoint();
      // The group's offset only tells people about lag; recovery goes by the checkpoint. A rebalance may refuse it.
      await this.consumer
        ?.commit([{ topic: TOPICS.stream.name, partition: owner.partition, offset }])
        .catch((cause: unknown) => {
          this.options.log.debug({ err: cause }, 'the group offset was not committed');
        });
    });
  }

  private async tick(): Promise<void> {
    for (const partition of this.assigned.all()) partition.warnOfFlood(this.options.log);
    // Silence that was asked for is no partition gone quiet.
    if (this.paused) return;
    await this.closeIdle();
    for (const partition of this.assigned.all())
      if (partition.isCheckpointDue) await this.checkpoint(partition);
  }

  private async closeIdle(): Promise<void> {
    const { kafka, settings, log } = this.options;
    const isQuiet = (partition: AssignedPartition): boolean => partition.isQuiet(settings.idleMillis);
    if (this.outbox.isFull || !this.assigned.all().some(isQuiet)) return;
    // Nothing came: because nothing was sent, or because the broker was away? Windows close for the former alone.
    const offsets = await kafka.offsets(TOPICS.stream.name).catch((cause: unknown) => {
      log.debug(
        { err: cause },
        'no window closes by the clock: the broker does not say what is in the topic',
      );
    });
    if (offsets === undefined) return;
    for (const { partition, high } of offsets) {
      const owner = this.assigned.get(partition)?.owner;
      if (owner !== undefined) owner.highWatermark = Math.max(owner.highWatermark, high);
    }
    for (const partition of this.assigned.all())
      if (isQuiet(partition)) await partition.owner.run(() => partition.owner.closeIdle());
  }

  /** Partitions whose results a living warehouse cannot keep up with are not read any further for now. */
  private followSinks(): void {
    for (const { number: partition } of this.assigned.all()) {
      if (this.sinks.isHeldBack(partition)) this.consumer?.pause(TOPICS.stream.name, [partition]);
      else this.consumer?.resume(TOPICS.stream.name, [partition]);
    }
  }

  private logSink(partition: number): void {
    const { log } = this.options;
    if (this.sinks.isHeldBack(partition))
      log.warn(
        { partition, blocks: this.sinks.lagOf(partition) },
        'the partition waits: a warehouse is far behind in storing its results',
      );
    else log.info({ partition }, 'the partition goes on: the warehouse has caught up');
  }
}

function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
