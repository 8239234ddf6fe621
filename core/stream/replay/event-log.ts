import { type RejectReason } from '../../contracts/blocks';
import { isPieceKey } from '../../contracts/checkpoints';
import { FedloopError } from '../../contracts/errors';
import { type MalformedDetail } from '../../contracts/events';
import { TOPICS } from '../../contracts/topics';
import { type Deployments } from '../../model/deployments';
import { type IncomingRecord, type Kafka, type PartitionOffsets } from '../../platform/kafka';
import { silentLogger } from '../../platform/log';
import { PartitionLogs } from '../ownership/checkpoint-log';
import { type DevicePasts, followDevicePasts } from '../ownership/history-snapshots';
import { type Counts, PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { modelForecaster } from '../forecasts/model-forecaster';
import { LogReplay, type SourceRecord } from './replay-log';
import { type ClosedWindow } from '../windows/rows';

/** What the stream workers must have written, in the order of each partition's log. */
export interface LogReader {
  window(window: ClosedWindow): Promise<void>;
  reject(
    partition: number,
    record: SourceRecord,
    reason: RejectReason,
    detail: MalformedDetail | undefined,
  ): Promise<void>;
  /** So many events have been read, of all partitions together. */
  progress(events: number): void;
}

/** Where the replay of a partition has ended. */
export interface ReplayedPartition {
  readonly partition: number;
  readonly counts: Readonly<Counts>;
  /** Readings in windows that are still open. */
  readonly openReadings: number;
  /** Source offset behind the last event. */
  readonly next: number;
}

/**
 * The decisions of every partition as the log has them now.
 * State is left out: what is recomputed from the first event on needs none.
 */
export async function readDecisions(kafka: Kafka): Promise<PartitionLogs> {
  const logs = new PartitionLogs();
  const tail = await kafka.tail({
    topic: TOPICS.checkpoints.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) if (!isPieceKey(record.key?.toString() ?? '')) logs.apply(record);
    },
  });
  await tail.caughtUp;
  await tail.close();
  return logs;
}

export interface EventLogOptions {
  readonly kafka: Kafka;
  readonly deployments: Deployments;
  readonly decisions: PartitionLogs;
  readonly ends: readonly PartitionOffsets[];
  readonly reader: LogReader;
  readonly signal: AbortSignal;
}

/**
 * Replay `edge-iiot-stream` from its first event up to `ends` through the pure core, under the decisions that were logged.
 * Partitions take turns: the reader is called for one thing at a time. What is returned is in the order of partitions.
 * @throws FedloopError `InvalidData` when events, or a snapshot that the devices began with, are no longer in their logs.
 */
export async function replayEventLog(options: EventLogOptions): Promise<readonly ReplayedPartition[]> {
  const { kafka, deployments, ends, reader, signal } = options;
  for (const { partition, low } of ends) {
    if (low > 0)
      throw new FedloopError(
        'InvalidData',
        `the first ${low} events of partition ${partition} are past the retention of ${TOPICS.stream.name}: the rows made of them cannot be recomputed`,
        { hint: 'Only a deployment that keeps its whole event log can be verified.' },
      );
  }
  const models = modelForecaster((version) => deployments.find(version)?.model);
  const pasts = await followDevicePasts(kafka, deployments.settings().task, silentLogger());
  try {
    const replays = new Map(
      ends.map((end) => [end.partition, new PartitionReplay(end, options, models.forecast, pasts)]),
    );
    let events = 0;
    const take = async (records: readonly IncomingRecord[]): Promise<void> => {
      events += (await replays.get(records[0]?.partition ?? -1)?.take(records, reader)) ?? 0;
      reader.progress(events);
    };
    await readSource(kafka, take, signal);
    const replayed: ReplayedPartition[] = [];
    for (const replay of replays.values()) replayed.push(await replay.end(reader));
    return replayed.sort((a, b) => a.partition - b.partition);
  } finally {
    await Promise.all([pasts.close(), models.release()]);
  }
}

/** One partition's rows, computed once more. */
class PartitionReplay {
  private readonly engine: PartitionEngine;
  private readonly replay: LogReplay;
  /** Of the records that are being taken in. */
  private rejected: {
    readonly record: SourceRecord;
    readonly reason: RejectReason;
    readonly detail: MalformedDetail | undefined;
  }[] = [];

  constructor(
    private readonly source: PartitionOffsets,
    { deployments, decisions }: EventLogOptions,
    forecaster: Forecaster,
    pasts: DevicePasts,
  ) {
    const { partition } = source;
    const engine = new PartitionEngine(partition, deployments.settings());
    this.engine = engine;
    this.replay = new LogReplay({
      engine,
      decisions: decisions.of(partition).decisions,
      forecaster,
      seedHistory(seeded, snapshot) {
        if (!pasts.seed(seeded, snapshot))
          throw new FedloopError(
            'InvalidData',
            `${TOPICS.history.name} no longer has the snapshot that the devices of partition ${partition} began with`,
          );
      },
      onVerdict: (record, reason) => {
        if (reason !== 'windowed') this.rejected.push({ record, reason, detail: engine.detail });
      },
    });
  }

  /** @returns how many of the records counted: those before the partition's end. */
  async take(records: readonly IncomingRecord[], reader: LogReader): Promise<number> {
    const wanted = records.filter(({ offset }) => offset < this.source.high);
    for await (const window of this.replay.take(wanted)) await reader.window(window);
    const { partition } = this.source;
    for (const { record, reason, detail } of this.rejected.splice(0))
      await reader.reject(partition, record, reason, detail);
    return wanted.length;
  }

  async end(reader: LogReader): Promise<ReplayedPartition> {
    for await (const window of this.replay.end()) await reader.window(window);
    const { counts, open } = this.engine;
    const { partition, high: next } = this.source;
    return { partition, next, counts: { ...counts }, openReadings: open.readings };
  }
}

/** All that stands in the source topic now, one batch at a time; ends with the first failure of `take`. */
async function readSource(
  kafka: Kafka,
  take: (records: readonly IncomingRecord[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let fail: (cause: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  let turn: Promise<void> = Promise.resolve();
  const tail = await kafka.tail({
    topic: TOPICS.stream.name,
    from: 'start',
    // A failure must not reach the client library, which would deliver the batch again: events count once.
    onRecords: (records) => (turn = turn.then(() => take(records)).catch(fail)),
  });
  signal.addEventListener('abort', () => {
    fail(signal.reason);
  });
  try {
    signal.throwIfAborted();
    await Promise.race([tail.caughtUp, failed]);
  } finally {
    await tail.close();
  }
}
