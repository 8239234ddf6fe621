import { type RejectReason } from '../../contracts/blocks';
import { isPieceKey } from '../../contracts/checkpoints';
import { FedloopError } from '../../contracts/errors';
import { TOPICS } from '../../contracts/topics';
import { type Deployments } from '../../model/deployments';
import { type IncomingRecord, type Kafka, type PartitionOffsets } from '../../platform/kafka';
import { silentLogger } from '../../platform/log';
import { PartitionLog } from '../ownership/checkpoint-log';
import { followDevicePasts } from '../ownership/history-snapshots';
import { type Counts, PartitionEngine } from '../engine';
import { type MalformedDetail } from '../parse/event';
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
export async function readDecisions(kafka: Kafka): Promise<ReadonlyMap<number, PartitionLog>> {
  const logs = new Map<number, PartitionLog>();
  const tail = await kafka.tail({
    topic: TOPICS.checkpoints.name,
    from: 'start',
    onRecords(records) {
      for (const { partition, offset, key, value } of records) {
        const name = key?.toString() ?? '';
        if (isPieceKey(name)) continue;
        const log = logs.get(partition) ?? new PartitionLog();
        logs.set(partition, log);
        log.apply(offset, name, value);
      }
    },
  });
  await tail.caughtUp;
  await tail.close();
  return logs;
}

/**
 * Replay `edge-iiot-stream` from its first event up to `ends` through the pure core, under the decisions that were logged.
 * Partitions take turns: the reader is called for one thing at a time. What is returned is in the order of partitions.
 * @throws FedloopError `InvalidData` when events, or a snapshot that the devices began with, are no longer in their logs.
 */
export async function replayEventLog(options: {
  readonly kafka: Kafka;
  readonly deployments: Deployments;
  readonly decisions: ReadonlyMap<number, PartitionLog>;
  readonly ends: readonly PartitionOffsets[];
  readonly reader: LogReader;
  readonly signal: AbortSignal;
}): Promise<readonly ReplayedPartition[]> {
  const { kafka, deployments, ends, reader, signal } = options;
  for (const { partition, low } of ends) {
    if (low > 0)
      throw new FedloopError(
        'InvalidData',
        `the first ${low} events of partition ${partition} are past the retention of ${TOPICS.stream.name}: the rows made of them cannot be recomputed`,
        { hint: 'Only a deployment that keeps its whole event log can be verified.' },
      );
  }
  const forecasts = modelForecaster((version) => deployments.find(version)?.model);
  const pasts = await followDevicePasts(kafka, silentLogger());
  try {
    const replays = new Map(
      ends.map(({ partition, high }) => {
        const engine = new PartitionEngine(partition, deployments.settings());
        const rejected: {
          record: SourceRecord;
          reason: RejectReason;
          detail: MalformedDetail | undefined;
        }[] = [];
        const replay = new LogReplay({
          engine,
          decisions: options.decisions.get(partition)?.decisions ?? [],
          forecaster: forecasts.forecast,
          seedHistory(seeded, snapshot) {
            if (!pasts.seed(seeded, snapshot))
              throw new FedloopError(
                'InvalidData',
                `${TOPICS.history.name} no longer has the snapshot that the devices of partition ${partition} began with`,
              );
          },
          onVerdict(record, verdict) {
            if (verdict !== 'windowed') rejected.push({ record, reason: verdict, detail: engine.detail });
          },
        });
        return [partition, { high, engine, replay, rejected }] as const;
      }),
    );
    let events = 0;
    const take = async (records: readonly IncomingRecord[]): Promise<void> => {
      const known = replays.get(records[0]?.partition ?? -1);
      if (known === undefined) return;
      const wanted = records.filter(({ offset }) => offset < known.high);
      for await (const window of known.replay.take(wanted)) await reader.window(window);
      for (const { record, reason, detail } of known.rejected.splice(0))
        await reader.reject(known.engine.partition, record, reason, detail);
      events += wanted.length;
      reader.progress(events);
    };
    await readSource(kafka, take, signal);
    for (const { replay } of replays.values())
      for await (const window of replay.end()) await reader.window(window);
    return [...replays.values()]
      .map(({ engine, high }) => ({
        next: high,
        partition: engine.partition,
        counts: { ...engine.counts },
        openReadings: engine.open.readings,
      }))
      .sort((a, b) => a.partition - b.partition);
  } finally {
    await Promise.all([pasts.close(), forecasts.release()]);
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
