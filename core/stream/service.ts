import { type Environment } from '../contracts/config';
import { type StreamSettings } from '../contracts/settings';
import { STREAM_GROUP, TOPICS } from '../contracts/topics';
import { type Deployments } from '../model/deployments';
import { type GroupConsumer, type Kafka, type RawBatch } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Registry } from '../platform/metrics';
import { assertAffordable } from './windows/affordable';
import { openClaims } from './ownership/claims';
import { followDevicePasts } from './ownership/history-snapshots';
import { type Counts } from './engine';
import { FloodWatch } from './backpressure/flood';
import {
  CHECKPOINT_INTERVAL_MS,
  MAX_CHECKPOINT_INTERVAL_MS,
  OUTBOX_CAPACITY_BYTES,
  RECLAIM_AFTER_MS,
  TICK_MS,
} from './limits';
import { streamMetrics } from './metrics';
import { modelForecaster } from './forecasts/model-forecaster';
import { Outbox } from './ownership/outbox';
import { PartitionOwner } from './ownership/partition-owner';
import { SinkWatch } from './backpressure/sink-watch';

export interface StreamServiceOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly settings: StreamSettings;
  readonly deployments: Deployments;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface PartitionStatus {
  readonly partition: number;
  readonly epoch: number;
  /** Next source offset to take in, and records behind it that the partition is known to hold. */
  readonly offset: number;
  readonly lag: number;
  /** Event time in microseconds; null before the first event. */
  readonly watermark: number | null;
  readonly openWindows: number;
  readonly versions: readonly string[];
  readonly counts: Readonly<Counts>;
}

export interface StreamStatus {
  /** Told to take in nothing for the time being. */
  readonly resting: boolean;
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
  /** Continue where `pause` has stopped. */
  resume(): void;
}

/** Everything the worker knows of one partition beside its owner. */
interface Held {
  readonly owner: PartitionOwner;
  readonly flood: FloodWatch;
  lastRecordAt: number;
  lastCheckpointAt: number;
}

/**
 * Join the group of stream workers and turn the events of this worker's partitions into rows, exactly once.
 * @throws FedloopError `InvalidConfig` for settings under which too many windows would be open at once.
 */
export async function startStreamService(options: StreamServiceOptions): Promise<StreamService> {
  const { kafka, settings, deployments, log } = options;
  assertAffordable(settings);
  let fail: (cause: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  // Whoever holds the service waits on `failed`; until they do, a failure must not count as unhandled.
  failed.catch(() => undefined);
  let halted = false;
  let resting = false;
  const isHalted = (): boolean => halted;
  /** An engine that was interrupted half-way must not be fed any further: the process ends, and recovery starts afresh. */
  const giveUp = (thrown: unknown): void => {
    halted = true;
    fail(thrown instanceof Error ? thrown : new Error(String(thrown)));
  };

  const held = new Map<number, Held>();
  const producer = await kafka.producer('outage');
  const outbox = new Outbox(producer, OUTBOX_CAPACITY_BYTES, giveUp, (topic, seconds) => {
    // Blocks are handed over the moment their window closes; rejects and checkpoints belong to no window.
    if (topic === TOPICS.analysis.name || topic === TOPICS.evaluations.name) metrics.acknowledged(seconds);
  });
  const sinks = new SinkWatch(kafka, log, (partitions) => {
    followSinks();
    for (const partition of partitions) if (held.has(partition)) tellSink(partition);
  });
  const metrics = streamMetrics(options.registry, () => [...held.values()].map(({ owner }) => owner), {
    outboxBytes: () => outbox.pendingBytes,
    sinkLag: (partition) => sinks.lagOf(partition),
    isPaused: { sink: (partition) => sinks.isHeldBack(partition), producer: () => outbox.isFull },
  });
  const claims = await openClaims(kafka, producer, settings, log);
  const pasts = await followDevicePasts(kafka, log);
  const models = modelForecaster((version) => deployments.find(version)?.model);
  let consumer: GroupConsumer | undefined;

  const take = async (partition: number): Promise<Held> => {
    const { epoch, log: partitionLog, engine, start } = await claims.claim(partition);
    metrics.claim();
    // What its log decided may name a version or a snapshot that has not come through to us yet.
    await Promise.all([deployments.sync(), pasts.sync()]);
    const owner = new PartitionOwner(
      {
        partition,
        epoch,
        engine,
        log: partitionLog,
        outbox,
        forecaster: models.forecast,
        inForce: () => deployments.inForce(),
        append: (key, message) => claims.append(partition, key, message),
        seedHistory: (seeded, snapshot) => {
          if (!pasts.seed(seeded, snapshot))
            log.error({ partition, snapshot }, 'the snapshot that the devices began with is gone');
        },
        latestSnapshot: () => pasts.latest(partition),
        onMalformed(detail) {
          metrics.malformed(detail);
        },
        onClosed(window) {
          metrics.rows('analysis', window.analysis.device_id.length);
          metrics.rows('evaluation', window.evaluations.device_id.length);
        },
        logger: log,
      },
      start,
    );
    return { owner, flood: new FloodWatch(), lastRecordAt: Date.now(), lastCheckpointAt: Date.now() };
  };

  const followVersions = ({ owner }: Held): Promise<void> => owner.run(() => owner.followVersions());

  const onAssigned = async (
    assignment: ReadonlyMap<string, readonly number[]>,
    group: GroupConsumer,
  ): Promise<void> => {
    consumer = group;
    const partitions = assignment.get(TOPICS.stream.name) ?? [];
    for (const [partition, { owner }] of held) {
      if (partitions.includes(partition)) continue;
      owner.drop();
      held.delete(partition);
    }
    await claims.catchUp();
    await Promise.all(
      partitions.map(async (partition) => {
        const before = held.get(partition);
        // Nobody claimed it since: the engine in memory is the partition's true state, and reading goes on where it was.
        if (before?.owner.isOwner !== true) before?.owner.drop();
        const kept = before?.owner.isOwner === true ? before : await take(partition);
        held.set(partition, kept);
        if (before === undefined && sinks.isHeldBack(partition)) tellSink(partition);
        group.seek(TOPICS.stream.name, partition, kept.owner.next);
        followVersions(kept).catch(giveUp);
      }),
    );
    // The library keeps a pause over a rebalance, also of a partition that was away meanwhile.
    followSinks();
  };

  /** Partitions whose results a living warehouse cannot keep up with are not read any further for now. */
  const followSinks = (): void => {
    for (const partition of held.keys()) {
      if (sinks.isHeldBack(partition)) consumer?.pause(TOPICS.stream.name, [partition]);
      else consumer?.resume(TOPICS.stream.name, [partition]);
    }
  };

  const tellSink = (partition: number): void => {
    if (sinks.isHeldBack(partition))
      log.warn(
        { partition, blocks: sinks.lagOf(partition) },
        'the partition waits: a warehouse is far behind in storing its results',
      );
    else log.info({ partition }, 'the partition goes on: the warehouse has caught up');
  };

  const onBatch = async (batch: RawBatch): Promise<void> => {
    while (resting && !isHalted() && batch.isCurrent()) {
      await sleep(TICK_MS);
      await batch.heartbeat();
    }
    const mine = held.get(batch.partition);
    const last = batch.records.at(-1);
    if (mine === undefined || last === undefined || isHalted() || !batch.isCurrent()) return;
    mine.owner.highWatermark = batch.highWatermark;
    mine.lastRecordAt = Date.now();
    await takeIn(mine, batch).catch(giveUp);
    if (isHalted()) return;
    if (!mine.owner.isOwner) return reclaim(batch);
    batch.resolve(last.offset);
    while (outbox.isFull) {
      // The broker is behind: nothing more is fetched until it has caught up, and the membership is kept meanwhile.
      await Promise.race([outbox.whenRoom(), sleep(TICK_MS)]);
      await batch.heartbeat();
    }
  };

  const takeIn = async (mine: Held, batch: RawBatch): Promise<void> => {
    await mine.owner.run(() => mine.owner.ingest(batch.records));
    await followVersions(mine);
    await checkpointIfDue(mine);
  };

  /**
   * A claim that was made late, by a worker that was frozen meanwhile, can stand above the rightful one. The broker knows
   * whose the partition is: when it still answers our heartbeat, the partition is ours, and is claimed again.
   */
  const reclaim = async (batch: RawBatch): Promise<void> => {
    await sleep(RECLAIM_AFTER_MS);
    await batch.heartbeat();
    if (!batch.isCurrent()) return;
    const taken = await take(batch.partition);
    held.set(batch.partition, taken);
    consumer?.seek(TOPICS.stream.name, batch.partition, taken.owner.next);
  };

  const checkpointIfDue = async (mine: Held): Promise<void> => {
    const age = Date.now() - mine.lastCheckpointAt;
    const wanted = mine.owner.checkpointPays ? CHECKPOINT_INTERVAL_MS : MAX_CHECKPOINT_INTERVAL_MS;
    if (!mine.owner.checkpointDue || age < wanted) return;
    await writeCheckpoint(mine);
  };

  const writeCheckpoint = async (mine: Held): Promise<void> => {
    mine.lastCheckpointAt = Date.now();
    await mine.owner.run(async () => {
      const offset = await mine.owner.checkpoint();
      metrics.checkpoint();
      // The group's offset only tells people about lag; recovery goes by the checkpoint. A rebalance may refuse it.
      await consumer
        ?.commit([{ topic: TOPICS.stream.name, partition: mine.owner.partition, offset }])
        .catch((cause: unknown) => {
          log.debug({ err: cause }, 'the group offset was not committed');
        });
    });
  };

  const tellFloods = (): void => {
    for (const { owner, flood } of held.values()) {
      const { devices, counts } = owner.engine;
      const fresh = flood.look(devices.size, Date.now());
      if (fresh !== undefined)
        log.warn(
          { partition: owner.partition, new: fresh, devices: devices.size, malformed: counts.malformed },
          'a flood of new device ids',
        );
    }
  };

  const tick = async (): Promise<void> => {
    tellFloods();
    // Silence that was asked for is no partition gone quiet.
    if (resting) return;
    await closeIdle();
    for (const mine of held.values()) await checkpointIfDue(mine);
  };

  const closeIdle = async (): Promise<void> => {
    const isQuiet = ({ owner, lastRecordAt }: Held): boolean =>
      Date.now() - lastRecordAt >= settings.idleMillis && owner.idleClosingDue;
    if (outbox.isFull || ![...held.values()].some(isQuiet)) return;
    // Nothing came: because nothing was sent, or because the broker was away? Windows close for the former alone.
    const offsets = await kafka.offsets(TOPICS.stream.name).catch((cause: unknown) => {
      log.debug(
        { err: cause },
        'no window closes by the clock: the broker does not say what is in the topic',
      );
    });
    if (offsets === undefined) return;
    for (const { partition, high } of offsets) {
      const owner = held.get(partition)?.owner;
      if (owner !== undefined) owner.highWatermark = Math.max(owner.highWatermark, high);
    }
    for (const mine of held.values()) if (isQuiet(mine)) await mine.owner.run(() => mine.owner.closeIdle());
  };
  let ticking: Promise<void> | undefined;
  const timer = setInterval(() => {
    if (ticking !== undefined || isHalted()) return;
    ticking = tick()
      .catch(giveUp)
      .finally(() => {
        ticking = undefined;
      });
  }, TICK_MS);

  const stopFollowing = deployments.onChange(() => {
    for (const mine of held.values()) followVersions(mine).catch(giveUp);
  });

  await kafka.consume({
    groupId: STREAM_GROUP,
    topics: [TOPICS.stream.name],
    onAssigned,
    onBatch,
    onFailure: giveUp,
  });

  return {
    failed,
    status: () => ({ resting, partitions: [...held.values()].map(({ owner }) => statusOf(owner)) }),
    async pause() {
      resting = true;
      await ticking;
      for (const mine of held.values()) if (mine.owner.checkpointDue) await writeCheckpoint(mine);
      await outbox.settled();
    },
    resume() {
      for (const mine of held.values()) mine.lastRecordAt = Date.now();
      resting = false;
    },
    async stop() {
      halted = true;
      clearInterval(timer);
      stopFollowing();
      sinks.close();
      await ticking;
      for (const mine of held.values())
        if (mine.owner.checkpointDue) await writeCheckpoint(mine).catch(logAndGoOn);
      await consumer?.stop();
      await outbox.settled().catch(logAndGoOn);
      await Promise.all([claims.close(), pasts.close(), models.release()]);
      await producer.disconnect();
    },
  };

  /** A stop in the middle of trouble must not hide the trouble: recovery deals with whatever was not written. */
  function logAndGoOn(cause: unknown): void {
    log.warn({ err: cause }, 'not everything could be written while stopping');
  }
}

function statusOf(owner: PartitionOwner): PartitionStatus {
  const { engine } = owner;
  return {
    partition: owner.partition,
    epoch: owner.epoch,
    offset: owner.next,
    lag: Math.max(0, owner.highWatermark - owner.next),
    watermark: Number.isFinite(engine.watermark) ? engine.watermark : null,
    openWindows: engine.open.size,
    versions: engine.versions.map(({ version }) => version),
    counts: { ...engine.counts },
  };
}

function sleep(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
