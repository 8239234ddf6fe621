import { setTimeout as sleep } from 'node:timers/promises';
import { type LeaseReport } from '../contracts/evaluation';
import { STREAM_GROUP, TOPICS } from '../contracts/topics';
import { type Deployments } from '../model/deployments';
import { type GroupConsumer, type Kafka, type Producer, type RawBatch } from '../platform/kafka';
import { matchSourcePartitions } from '../platform/kafka/source-partitions';
import { type Logger } from '../platform/log';
import { type Registry } from '../platform/metrics';
import { type AssignedPartition } from './assigned-partition';
import { AssignedPartitions } from './assigned-partitions';
import { SinkWatch } from './backpressure/sink-watch';
import { type ModelForecaster, modelForecaster } from './forecasts/model-forecaster';
import { OUTBOX_CAPACITY_BYTES, RECLAIM_AFTER_MS, TICK_MS } from './limits';
import { watchEventLog } from './event-log-watch';
import { type StreamMetrics, streamMetrics } from './metrics';
import { Claims } from './ownership/claims';
import { type DevicePasts, followDevicePasts } from './ownership/history-snapshots';
import { Outbox } from './ownership/outbox';
import { Reclaims } from './reclaims';

interface StreamServiceOptions {
  readonly kafka: Kafka;
  readonly deployments: Deployments;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface StreamService {
  /** Drain, write checkpoints, leave the group. */
  stop(): Promise<void>;
  /** Rejects when the service cannot go on; never resolves. */
  readonly failed: Promise<never>;
  /** Where this worker is in each of its partitions. */
  status(): LeaseReport;
  /** Drain and read no more events: state and results are with the broker when this resolves. Partitions are kept. */
  pause(): Promise<void>;
  /** Read on from where `pause` stopped. */
  resume(): void;
}

/** Join the group of stream workers and turn the events of this worker's partitions into rows, exactly once. */
export async function startStreamService(options: StreamServiceOptions): Promise<StreamService> {
  const { kafka, deployments, log } = options;
  const settings = deployments.settings();
  const producer = await kafka.producer('outage');
  const claims = await Claims.open({ kafka, producer, settings, log });
  const pasts = await followDevicePasts(kafka, settings.task, log);
  const worker = new StreamWorker(options, producer, claims, pasts);
  await worker.join();
  return worker;
}

class StreamWorker implements StreamService {
  readonly failed: Promise<never>;
  private reject: (cause: Error) => void = () => undefined;
  /** Stopped, or failed: no more events are read. */
  private halted = false;
  private paused = false;
  private readonly topic: string;
  private readonly assigned: AssignedPartitions;
  private readonly reclaims: Reclaims;
  private readonly eventLog: ReturnType<typeof watchEventLog>;
  private readonly outbox: Outbox;
  private readonly sinks: SinkWatch;
  private readonly metrics: StreamMetrics;
  private readonly models: ModelForecaster;
  private consumer: GroupConsumer | undefined;
  private ticking: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** How many partitions the topic of events had when it was last looked at; all topics of results have as many. */
  private partitions = 0;
  private stopFollowing: () => void = () => undefined;

  constructor(
    private readonly options: StreamServiceOptions,
    private readonly producer: Producer,
    private readonly claims: Claims,
    private readonly pasts: DevicePasts,
  ) {
    const { kafka, deployments, log, registry } = options;
    this.topic = deployments.eventTopic;
    this.failed = new Promise<never>((_, reject) => {
      this.reject = reject;
    });
    // Until the caller waits for it, a failure must not count as unhandled.
    this.failed.catch(() => undefined);
    this.outbox = new Outbox(producer, OUTBOX_CAPACITY_BYTES, this.fail, (topic, seconds) => {
      // Blocks are pushed when their window closes; rejects and checkpoints belong to no window.
      if (topic === TOPICS.analysis.name || topic === TOPICS.evaluations.name)
        this.metrics.acknowledged.observe(seconds);
    });
    this.sinks = new SinkWatch(kafka, log, (partitions) => {
      this.followPauses();
      for (const partition of partitions)
        if (this.assigned.get(partition) !== undefined) this.sinks.report(partition);
    });
    const { outbox, sinks } = this;
    const owners = () => this.assigned.all().map(({ owner }) => owner);
    const metrics = (this.metrics = streamMetrics(registry, owners, { outbox, sinks }));
    this.models = modelForecaster(
      (version) => deployments.find(version)?.model,
      (version) => {
        log.error({ version }, 'a version is in force without a usable model, and is not forecast');
      },
    );
    const forecaster = this.models.forecast;
    this.assigned = new AssignedPartitions({ claims, pasts, deployments, outbox, metrics, forecaster, log });
    this.reclaims = new Reclaims(this.assigned, this.topic);
    this.eventLog = watchEventLog({
      ...{ kafka, log, topic: this.topic, assigned: this.assigned },
      isWaiting: (partition) => this.paused || outbox.isFull || sinks.isPaused(partition),
      readOn: (partition, offset) => this.consumer?.seek(this.topic, partition, offset),
      onReplaced: this.followPauses,
      onFailure: this.fail,
    });
  }

  async join(): Promise<void> {
    const { kafka, deployments } = this.options;
    this.timer = setInterval(() => {
      if (this.halted) return;
      this.ticking ??= this.tick()
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
      topics: [deployments.eventTopic],
      onAssigned: (assignment, group) => this.onAssigned(assignment, group),
      onBatch: (batch) => this.onBatch(batch),
      onFailure: this.fail,
    });
  }

  status(): LeaseReport {
    return { partitions: this.assigned.all().map(({ report }) => report) };
  }

  async pause(): Promise<void> {
    this.paused = true;
    await this.ticking;
    for (const partition of this.assigned.all())
      if (partition.owner.checkpointDue) await this.checkpoint(partition);
    await this.outbox.settled();
  }

  resume(): void {
    for (const partition of this.assigned.all()) partition.lastRecordAt = performance.now();
    this.paused = false;
  }

  async stop(): Promise<void> {
    // A stop after a failure must not hide the failure: recovery deals with what was not written.
    const warn = (cause: unknown): void => {
      this.options.log.warn({ err: cause }, 'not everything could be written while stopping');
    };
    this.halted = true;
    clearInterval(this.timer);
    this.stopFollowing();
    this.sinks.close();
    this.eventLog.close();
    await this.ticking;
    for (const partition of this.assigned.all())
      if (partition.owner.checkpointDue) await this.checkpoint(partition).catch(warn);
    await this.consumer?.stop();
    await this.outbox.settled().catch(warn);
    await Promise.all([this.claims.close(), this.pasts.close(), this.models.release()]);
    await this.producer.disconnect();
  }

  /** An engine that was interrupted half-way must get no more events: the process ends, and recovery starts afresh. */
  private readonly fail = (thrown: unknown): void => {
    this.halted = true;
    this.reject(thrown instanceof Error ? thrown : new Error(String(thrown)));
  };

  /** For checks after a wait: the compiler assumes that the field itself has not changed. */
  private isHalted(): boolean {
    return this.halted;
  }

  private async onAssigned(
    assignment: ReadonlyMap<string, readonly number[]>,
    group: GroupConsumer,
  ): Promise<void> {
    this.consumer = group;
    const partitions = assignment.get(this.topic) ?? [];
    this.reclaims.follow(partitions);
    this.eventLog.start();
    // The topic of events may have grown since this worker started.
    if (partitions.some((partition) => partition >= this.partitions))
      this.partitions = await matchSourcePartitions(this.options.kafka, this.topic);
    await this.assigned.assign(partitions, (partition, isNew) => {
      const { number, owner } = partition;
      if (isNew && this.sinks.isPaused(number)) this.sinks.report(number);
      group.seek(this.topic, number, owner.next);
      this.followVersions(partition).catch(this.fail);
    });
    // The library keeps a pause over a rebalance, also of a partition that another worker had meanwhile.
    this.followPauses();
  }

  private async onBatch(batch: RawBatch): Promise<void> {
    while (this.paused && !this.halted && batch.isCurrent()) {
      await sleep(TICK_MS);
      await batch.heartbeat();
    }
    const partition = this.assigned.get(batch.partition);
    if (partition === undefined || this.halted || !batch.isCurrent()) return;
    if (!(await partition.continuesWith(batch))) {
      this.followPauses();
      return;
    }
    partition.owner.highWatermark = batch.highWatermark;
    await this.ingest(partition, batch).catch(this.fail);
    if (this.isHalted()) return;
    if (!partition.owner.isOwner) return this.reclaim(batch);
    batch.resolve(batch.next);
    while (this.outbox.isFull) {
      // The broker is behind: nothing more is fetched until it has caught up. Heartbeats keep the membership.
      await Promise.race([this.outbox.whenRoom(), sleep(TICK_MS)]);
      await batch.heartbeat();
    }
  }

  private async ingest(partition: AssignedPartition, { records, next }: RawBatch): Promise<void> {
    const { owner } = partition;
    await partition.noting(() => owner.run(() => owner.ingest(records, next)));
    await this.followVersions(partition);
    if (partition.isCheckpointDue) await this.checkpoint(partition);
  }

  private async reclaim(batch: RawBatch): Promise<void> {
    await sleep(RECLAIM_AFTER_MS);
    await batch.heartbeat();
    if (batch.isCurrent() && this.consumer !== undefined)
      await this.reclaims.reclaim(batch.partition, this.consumer);
  }

  private followVersions({ owner }: AssignedPartition): Promise<void> {
    return owner.run(() => owner.followVersions());
  }

  private async checkpoint(partition: AssignedPartition): Promise<void> {
    const { owner } = partition;
    await owner.run(async () => {
      const offset = await partition.checkpoint();
      this.metrics.checkpoints.inc();
      // The group's offset only shows people the lag; recovery uses the checkpoint. A rebalance may refuse it.
      await this.consumer
        ?.commit([{ topic: this.topic, partition: owner.partition, offset }])
        .catch((cause: unknown) => {
          this.options.log.debug({ err: cause }, 'the group offset was not committed');
        });
    });
  }

  private async tick(): Promise<void> {
    for (const partition of this.assigned.all()) partition.warnOfFlood(this.options.log);
    // While the worker is paused, a partition without new records is not idle.
    if (this.paused) return;
    if (this.consumer !== undefined) await this.reclaims.look(this.consumer);
    await this.closeIdle();
    for (const { owner } of this.assigned.all()) await owner.run(() => owner.followResets());
    for (const partition of this.assigned.all())
      if (partition.isCheckpointDue) await this.checkpoint(partition);
  }

  private async closeIdle(): Promise<void> {
    const { kafka, deployments, log } = this.options;
    const settings = deployments.settings();
    const isQuiet = (partition: AssignedPartition): boolean => partition.isQuiet(settings);
    if (this.outbox.isFull || !this.assigned.all().some(isQuiet)) return;
    // No record came. Windows close if none was sent, not if the broker was away.
    const offsets = await kafka.offsets(this.topic).catch((cause: unknown) => {
      log.debug({ err: cause }, 'no idle closing: the broker does not report what is in the topic');
    });
    if (offsets === undefined) return;
    for (const { partition, high } of offsets) {
      const owner = this.assigned.get(partition)?.owner;
      if (owner !== undefined) owner.highWatermark = Math.max(owner.highWatermark, high);
    }
    for (const partition of this.assigned.all())
      if (isQuiet(partition)) await partition.owner.run(() => partition.closeIdle(settings));
  }

  /** Pause the partitions that wait for a warehouse, or whose log is another one, and resume the others. */
  private readonly followPauses = (): void => {
    for (const { number: partition, owner } of this.assigned.all()) {
      if (owner.isSourceReplaced || this.sinks.isPaused(partition))
        this.consumer?.pause(this.topic, [partition]);
      else this.consumer?.resume(this.topic, [partition]);
    }
  };
}
