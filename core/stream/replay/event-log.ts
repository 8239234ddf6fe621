import { type RejectReason } from '../../contracts/blocks';
import { isPieceKey } from '../../contracts/checkpoints';
import { FedloopError } from '../../contracts/errors';
import { type MalformedDetail } from '../../contracts/events';
import { type Deployments } from '../../model/deployments';
import { type IncomingRecord, type Kafka, type PartitionOffsets } from '../../platform/kafka';
import { silentLogger } from '../../platform/log';
import { type Counts } from '../windows/counts';
import { PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { modelForecaster } from '../forecasts/model-forecaster';
import { PartitionLogs } from '../ownership/checkpoint-log';
import { requireWholeLogs, snapshotGone } from '../ownership/lost-decisions';
import { type DevicePasts, followDevicePasts } from '../ownership/history-snapshots';
import { type ClosedWindow } from '../windows/rows';
import { LogReplay, type SourceRecord } from './replay-log';

interface Rejected {
  readonly partition: number;
  readonly record: SourceRecord;
  readonly reason: RejectReason;
  readonly detail: MalformedDetail | undefined;
  /** The worker wrote it before it wrote any reject of this source offset, unless it is that reject. */
  readonly decidedAt: number;
}

/** Receives what the stream workers must have written, in the order of each partition's log. */
interface LogReader {
  window(window: ClosedWindow): Promise<void>;
  /** In the order of offsets. */
  reject(rejected: Rejected): Promise<void>;
  /** @param events read so far, of all partitions together. */
  progress(events: number): void;
}

/** The state of a partition at the end of its replay. */
export interface ReplayedPartition {
  readonly partition: number;
  readonly counts: Readonly<Counts>;
  /** Readings in windows that are still open. */
  readonly openReadings: number;
  /** Events that wait for other devices to confirm their time. */
  readonly aside: number;
  /** Their source offsets. */
  readonly asideOffsets: readonly number[];
  /** Source offset behind the last event. */
  readonly next: number;
}

/** The decisions of every partition that are in the log now. State is left out: a replay from the first event on needs none. */
export async function readDecisions(kafka: Kafka): Promise<PartitionLogs> {
  const logs = new PartitionLogs();
  const tail = await logs.follow(kafka, { isWanted: (key) => !isPieceKey(key) });
  await tail.close();
  return logs;
}

interface EventLogOptions {
  readonly kafka: Kafka;
  readonly deployments: Deployments;
  readonly decisions: PartitionLogs;
  readonly ends: readonly PartitionOffsets[];
  readonly reader: LogReader;
  readonly signal: AbortSignal;
}

/**
 * Replay the topic of events, from where the fleet began to read it up to `ends`, through the pure core, under the decisions that were logged.
 * Partitions take turns: the reader gets one call at a time.
 * @returns the partitions in order.
 * @throws FedloopError `InvalidData` when events, decisions, or a snapshot that the devices began with, are no longer in their logs.
 */
export async function replayEventLog(options: EventLogOptions): Promise<readonly ReplayedPartition[]> {
  const { kafka, deployments, decisions, ends, reader, signal } = options;
  for (const { partition, low } of ends) {
    const begin = decisions.of(partition).start?.offset ?? 0;
    if (low > begin)
      throw new FedloopError(
        'InvalidData',
        `the first ${low - begin} events of partition ${partition} are past the retention of their topic: the rows made of them cannot be recomputed`,
        { hint: 'Only a deployment that keeps its whole event log can be verified.' },
      );
  }
  await requireWholeLogs(kafka);
  const models = modelForecaster((version) => deployments.find(version)?.model);
  const pasts = await followDevicePasts(kafka, deployments.settings().task, silentLogger());
  try {
    const replays = new Map(
      ends.map((end) => [end.partition, new PartitionReplay(end, options, models.forecast, pasts)]),
    );
    let events = 0;
    const ingest = async (records: readonly IncomingRecord[]): Promise<void> => {
      events += (await replays.get(records[0]?.partition ?? -1)?.ingest(records)) ?? 0;
      reader.progress(events);
    };
    await readSource(kafka, deployments.eventTopic, ingest, signal);
    const replayed: ReplayedPartition[] = [];
    for (const replay of replays.values()) replayed.push(await replay.end());
    return replayed.sort((a, b) => a.partition - b.partition);
  } finally {
    await Promise.all([pasts.close(), models.release()]);
  }
}

/** Replays one partition into the reader. */
class PartitionReplay {
  private readonly engine: PartitionEngine;
  private readonly replay: LogReplay;
  private readonly reader: LogReader;
  /** Source offset from which the fleet reads the partition. */
  private readonly begin: number;
  /** Rejects of the records that are being read. */
  private rejected: Rejected[] = [];

  constructor(
    private readonly source: PartitionOffsets,
    { deployments, decisions, reader }: EventLogOptions,
    forecaster: Forecaster,
    pasts: DevicePasts,
  ) {
    const { partition } = source;
    const engine = new PartitionEngine(partition, deployments.settings());
    this.engine = engine;
    this.reader = reader;
    this.begin = decisions.of(partition).start?.offset ?? 0;
    this.replay = new LogReplay({
      engine,
      decisions: decisions.of(partition).decisions,
      forecaster,
      seedHistory(seeded, snapshot) {
        if (!pasts.seed(seeded, snapshot)) throw snapshotGone(partition);
      },
      onVerdict: (record, reason, detail) => {
        if (reason === 'windowed') return;
        const { position } = this.replay;
        const decidedAt = record.offset === position - 1 ? record.offset : position;
        this.rejected.push({ partition, record, reason, detail, decidedAt });
      },
    });
  }

  /** @returns how many of the records counted: those before the partition's end. */
  async ingest(records: readonly IncomingRecord[]): Promise<number> {
    const wanted = records.filter(({ offset }) => offset >= this.begin && offset < this.source.high);
    for await (const window of this.replay.ingest(wanted)) await this.reader.window(window);
    await this.report(this.engine.ahead.aside.firstOffset);
    return wanted.length;
  }

  /** Tell the reader of the rejects before this offset, in the order of offsets: events aside may yet become some. */
  private async report(before: number): Promise<void> {
    const ready = this.rejected.filter(({ record }) => record.offset < before);
    this.rejected = this.rejected.filter(({ record }) => record.offset >= before);
    for (const reject of ready.sort((a, b) => a.record.offset - b.record.offset))
      await this.reader.reject(reject);
  }

  async end(): Promise<ReplayedPartition> {
    for await (const window of this.replay.end(this.source.high)) await this.reader.window(window);
    await this.report(Infinity);
    const { counts, open, ahead } = this.engine;
    const { partition, high: next } = this.source;
    const asideOffsets = ahead.aside.inOrder().map(({ offset }) => offset);
    return {
      partition,
      next,
      counts: { ...counts },
      openReadings: open.readings,
      aside: ahead.waiting,
      asideOffsets,
    };
  }
}

/** Read everything that is in the source topic now, one batch at a time. Ends with the first failure of `ingest`. */
async function readSource(
  kafka: Kafka,
  topic: string,
  ingest: (records: readonly IncomingRecord[]) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let fail: (cause: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  let turn: Promise<void> = Promise.resolve();
  const tail = await kafka.tail({
    topic,
    from: 'start',
    withUndecodable: true,
    // A failure must not reach the client library, which would deliver the batch again: events count once.
    onRecords: (records) => (turn = turn.then(() => ingest(records)).catch(fail)),
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
