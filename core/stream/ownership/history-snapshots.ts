import { type z } from 'zod';
import { type HistoryChunk, historyChunkSchema } from '../../contracts/blocks';
import { covariateColumns, type Sensors } from '../../contracts/task';
import { TOPICS } from '../../contracts/topics';
import { type IncomingRecord, type Kafka } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { type PartitionEngine } from '../engine';
import { parseJson } from '../../contracts/validation';

/** `device-history` as far as it has been read: by partition and key, as compaction would leave it. */
export interface DevicePasts {
  /** Hash of the newest whole snapshot of the partition, null without one; everything logged by the time of the call counts. */
  latest(partition: number): Promise<string | null>;
  /** Read everything that has been logged by now. */
  sync(): Promise<void>;
  /** Give the devices of the partition the past that the snapshot has of them; false when the log does not have it. */
  seed(engine: PartitionEngine, snapshot: string | null): boolean;
  close(): Promise<void>;
}

export async function followDevicePasts(kafka: Kafka, sensors: Sensors, log: Logger): Promise<DevicePasts> {
  const partitions = new Map<number, Snapshots>();
  const of = (partition: number): Snapshots => {
    const known = partitions.get(partition) ?? new Snapshots(sensors);
    partitions.set(partition, known);
    return known;
  };
  const tail = await kafka.tail({
    topic: TOPICS.history.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) of(record.partition).keep(record);
    },
  });
  await tail.caughtUp;
  return {
    async latest(partition) {
      await tail.sync();
      const { snapshot, incomplete } = of(partition).newest();
      if (incomplete !== undefined)
        log.warn({ partition, ...incomplete }, 'a snapshot of the devices’ past is not whole, and not used');
      return snapshot;
    },
    seed(engine, snapshot) {
      const chunks = of(engine.partition).chunksOf(snapshot);
      for (const chunk of chunks ?? []) seedFromChunk(engine, chunk);
      return snapshot === null || chunks !== undefined;
    },
    sync: () => tail.sync(),
    close: () => tail.close(),
  };
}

interface KeptChunk {
  readonly offset: number;
  readonly chunk: HistoryChunk;
}

/** `device-history` of one partition, by key, as compaction would leave it. A snapshot counts when all of its chunks are there. */
export class Snapshots {
  private readonly kept = new Map<string, KeptChunk>();
  private readonly schema: z.ZodType<HistoryChunk>;

  constructor(sensors: Sensors) {
    this.schema = historyChunkSchema(sensors);
  }

  keep({ offset, key, value }: Pick<IncomingRecord, 'offset' | 'key' | 'value'>): void {
    if (key === null || value === null) return;
    const chunk = this.schema.safeParse(parseJson(value));
    if (chunk.success) this.kept.set(key.toString(), { offset, chunk: chunk.data });
  }

  /** The whole snapshot that was logged last, and one logged after it of which chunks are missing. */
  newest(): {
    readonly snapshot: string | null;
    readonly incomplete:
      { readonly snapshot: string; readonly chunks: number; readonly of: number } | undefined;
  } {
    const names = [...this.kept.values()]
      .sort((a, b) => b.offset - a.offset)
      .map(({ chunk }) => chunk.snapshot);
    const snapshot = names.find((name) => this.chunksOf(name) !== undefined) ?? null;
    const [latest] = names;
    if (latest === undefined || latest === snapshot) return { snapshot, incomplete: undefined };
    const there = this.allOf(latest);
    return { snapshot, incomplete: { snapshot: latest, chunks: there.length, of: there[0]?.chunks ?? 0 } };
  }

  /** All chunks of a snapshot; undefined unless it is whole. */
  chunksOf(snapshot: string | null): readonly HistoryChunk[] | undefined {
    const chunks = this.allOf(snapshot);
    return chunks.length > 0 && chunks.every((chunk) => chunk.chunks === chunks.length) ? chunks : undefined;
  }

  private allOf(snapshot: string | null): HistoryChunk[] {
    return [...this.kept.values()].map(({ chunk }) => chunk).filter((chunk) => chunk.snapshot === snapshot);
  }
}

/** A snapshot on another grid of windows says nothing about this one's means, and is left alone. */
export function seedFromChunk(engine: PartitionEngine, chunk: HistoryChunk): void {
  const { task } = engine.settings;
  if (chunk.window_micros !== task.windowMicros) return;
  const columns = covariateColumns(task);
  for (const { device_id, avg: target, stddev, ...means } of chunk.devices) {
    const covariates = columns.map((name) => means[name] ?? []);
    engine.seed(device_id, chunk.last_window_start, { target, covariates, stddev });
  }
}
