import { z } from 'zod';
import { logIdSchema } from './log-ids';

/**
 * Records of `ingest-memory`, the last of each key:
 * - `devices`: over how many partitions of `edge-iiot-stream` devices are spread. A device that moved would be in two of them.
 * - `log/<partition>/<topic>`: which log of that name was read. For a session that an MQTT server keeps for us: `log/0/mqtt/<server>`.
 */
export const INGEST_MEMORY_DEVICES = 'devices';

export function ingestMemoryLogKey(topic: string, partition: number): string {
  return `log/${partition}/${topic}`;
}

/** The place that such a key names; undefined where it is none. */
export function placeOfIngestMemoryKey(
  key: string,
): { readonly topic: string; readonly partition: number } | undefined {
  const [, partition, topic] = /^log\/(\d{1,6})\/(.+)$/u.exec(key) ?? [];
  return partition === undefined || topic === undefined ? undefined : { topic, partition: Number(partition) };
}

export const ingestMemoryDevicesSchema = z.object({ partitions: z.int().min(1) });

/**
 * `offset`: how far the log was read, some ten seconds ago at most. The group's own place is exact; brokers forget it when nobody has read for a week. Left out where nothing
 * was read yet.
 * `commits`: what is committed has a note of ours beside it since then, so that a place without one was set by another program. Older releases wrote none.
 */
export const ingestMemoryLogSchema = z.object({
  log_id: logIdSchema,
  offset: z.int().min(0).optional(),
  commits: z.literal('noted').optional(),
});
export type RememberedLog = z.infer<typeof ingestMemoryLogSchema>;
