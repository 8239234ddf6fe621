import { type z } from 'zod';
import { type HistoryChunk, historyChunkSchema } from '../../contracts/blocks';
import { covariateColumns, historyWindows, type Sensors, type Task } from '../../contracts/task';
import { TOPICS } from '../../contracts/topics';
import { parseJson } from '../../contracts/validation';
import { type IncomingRecord, type Kafka } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { type PartitionEngine } from '../engine';

/** `device-history` as far as it has been read. */
export interface DevicePasts {
  /** Hash of the newest whole snapshot of the partition that is in the log now; null without one. */
  latest(partition: number): Promise<string | null>;
  /** Resolves once everything that is in the log now has been read. */
  sync(): Promise<void>;
  /** Give the devices of the partition the past that the snapshot has of them; false when the log does not have the snapshot. */
  seed(engine: PartitionEngine, snapshot: string | null): boolean;
  close(): Promise<void>;
}

export async function followDevicePasts(kafka: Kafka, task: Task, log: Logger): Promise<DevicePasts> {
  const partitions = new Map<number, Snapshots>();
  const of = (partition: number): Snapshots => {
    const known = partitions.get(partition) ?? new Snapshots(task, historyWindows(task));
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

/** `device-history` of one partition, by key, as compaction would leave it. A snapshot counts when all of its chunks are there. */
export class Snapshots {
  /** In the order of the log. */
  private readonly kept = new Map<string, HistoryChunk>();
  private readonly schema: z.ZodType<HistoryChunk>;

  /** @param depth windows kept of a device, the newest: an imported history has more than lags need. */
  constructor(
    sensors: Sensors,
    private readonly depth = Infinity,
  ) {
    this.schema = historyChunkSchema(sensors);
  }

  keep({ key, value }: Pick<IncomingRecord, 'key' | 'value'>): void {
    if (key === null || value === null) return;
    const chunk = this.schema.safeParse(parseJson(value));
    if (!chunk.success) return;
    const name = key.toString();
    const known = this.kept.get(name)?.snapshot;
    // Keys name their snapshot: another one's chunk under it would take a past away that devices began with.
    if (known !== undefined && known !== chunk.data.snapshot && name.split('/').includes(known)) return;
    this.kept.delete(name);
    this.kept.set(name, newestOf(chunk.data, this.depth));
  }

  /** The latest whole snapshot, and a later one of which chunks are missing. */
  newest(): {
    readonly snapshot: string | null;
    readonly incomplete:
      { readonly snapshot: string; readonly chunks: number; readonly of: number } | undefined;
  } {
    const names = [...this.kept.values()].map(({ snapshot }) => snapshot);
    const snapshot = names.findLast((name) => this.chunksOf(name) !== undefined) ?? null;
    const latest = names.at(-1);
    if (latest === undefined || latest === snapshot) return { snapshot, incomplete: undefined };
    const there = this.allOf(latest);
    return { snapshot, incomplete: { snapshot: latest, chunks: there.length, of: there[0]?.chunks ?? 0 } };
  }

  /** Whole snapshots that the log has behind this one, oldest first; null = behind none, so all. */
  wholeSince(snapshot: string | null): readonly string[] {
    const names = [...this.kept.values()].map(({ snapshot: name }) => name);
    const later = names.slice(snapshot === null ? 0 : names.lastIndexOf(snapshot) + 1);
    // Where the log has a snapshot's last chunk it is whole.
    const byEnd = [...new Set(later.toReversed())].reverse();
    return byEnd.filter((name) => name !== snapshot && this.chunksOf(name) !== undefined);
  }

  /** All chunks of a snapshot; undefined unless it is whole. */
  chunksOf(snapshot: string | null): readonly HistoryChunk[] | undefined {
    const chunks = this.allOf(snapshot);
    const isWhole = chunks.every((chunk) => (chunk.chunks ?? chunks.length) === chunks.length);
    return chunks.length > 0 && isWhole ? chunks : undefined;
  }

  /** By number, which every key ends with: a former release's fleet left the snapshot out of its keys, so a chunk may be there under two. */
  private allOf(snapshot: string | null): HistoryChunk[] {
    const chunks = [...this.kept].filter(([, chunk]) => chunk.snapshot === snapshot);
    return [...new Map(chunks.map(([key, chunk]) => [key.slice(key.lastIndexOf('/') + 1), chunk])).values()];
  }
}

function newestOf(chunk: HistoryChunk, depth: number): HistoryChunk {
  if (chunk.devices.every(({ avg }) => avg.length <= depth)) return chunk;
  const devices = chunk.devices.map(({ device_id, avg, stddev, ...means }) => ({
    device_id,
    avg: avg.slice(0, depth),
    stddev,
    ...Object.fromEntries(Object.entries(means).map(([name, column]) => [name, column.slice(0, depth)])),
  }));
  return { ...chunk, devices };
}

/** A snapshot on another grid of windows has other means, and is left out. */
function seedFromChunk(engine: PartitionEngine, chunk: HistoryChunk): void {
  const { task } = engine.settings;
  if (chunk.window_micros !== task.windowMicros) return;
  const columns = covariateColumns(task);
  for (const { device_id, avg: target, stddev, ...means } of chunk.devices) {
    const covariates = columns.map((name) => means[name] ?? []);
    engine.seed(device_id, chunk.last_window_start, { target, covariates, stddev });
  }
}
