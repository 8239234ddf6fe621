import { type HistoryChunk, historyChunkSchema } from '../contracts/blocks';
import { TOPICS } from '../contracts/topics';
import { type IncomingRecord, type Kafka } from '../platform/kafka';
import { type PartitionEngine } from './engine';
import { parseJson } from './json';

/** `device-history` as far as it has been read: by partition and key, as compaction would leave it. */
export interface DevicePasts {
  /** Hash of the newest snapshot of the partition, null without one; everything logged by the time of the call counts. */
  latest(partition: number): Promise<string | null>;
  /** Read everything that has been logged by now. */
  sync(): Promise<void>;
  /** Give the devices of the partition the past that the snapshot has of them; false when the log does not have it. */
  seed(engine: PartitionEngine, snapshot: string | null): boolean;
  close(): Promise<void>;
}

interface KeptChunk {
  readonly offset: number;
  readonly chunk: HistoryChunk;
}

export async function followDevicePasts(kafka: Kafka): Promise<DevicePasts> {
  const partitions = new Map<number, Map<string, KeptChunk>>();
  const keep = ({ partition, offset, key, value }: IncomingRecord): void => {
    if (key === null || value === null) return;
    const chunk = historyChunkSchema.safeParse(parseJson(value));
    if (!chunk.success) return;
    const kept = partitions.get(partition) ?? new Map<string, KeptChunk>();
    partitions.set(partition, kept.set(key.toString(), { offset, chunk: chunk.data }));
  };
  const tail = await kafka.tail({
    topic: TOPICS.history.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) keep(record);
    },
  });
  await tail.caughtUp;
  return {
    async latest(partition) {
      await tail.sync();
      const kept = [...(partitions.get(partition)?.values() ?? [])];
      return kept.sort((a, b) => a.offset - b.offset).at(-1)?.chunk.snapshot ?? null;
    },
    seed(engine, snapshot) {
      const chunks = [...(partitions.get(engine.partition)?.values() ?? [])].filter(
        ({ chunk }) => chunk.snapshot === snapshot,
      );
      for (const { chunk } of chunks) seedFromChunk(engine, chunk);
      return snapshot === null || chunks.length > 0;
    },
    sync: () => tail.sync(),
    close: () => tail.close(),
  };
}

/** A snapshot on another grid of windows says nothing about this one's means, and is left alone. */
export function seedFromChunk(engine: PartitionEngine, chunk: HistoryChunk): void {
  if (chunk.window_micros !== engine.settings.windowMicros) return;
  for (const { device_id, avg, humidity_avg, pressure_avg, stddev } of chunk.devices) {
    engine.seed(device_id, chunk.last_window_start, {
      avg,
      humidity: humidity_avg,
      pressure: pressure_avg,
      stddev,
    });
  }
}
