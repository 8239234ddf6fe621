import { REJECT_HEADERS } from '../../core/contracts/blocks';
import { ingestRejectHeadersSchema } from '../../core/contracts/ingest';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka } from '../../core/platform/kafka';

/** An event that stream workers have refused. */
export interface KeptReject {
  readonly partition: number;
  /** Source offset of the event. */
  readonly offset: number;
  readonly reason: string;
  readonly detail: string;
  /** Kafka's timestamp of the reject in milliseconds. */
  readonly timestampMillis: number;
  readonly bytes: Buffer;
}

/**
 * Rejects that `edge-iiot-rejects` still has, in the order of each partition's log. A successor writes some once more: each event
 * comes once.
 */
export async function readRejects(
  kafka: Kafka,
  onReject: (reject: KeptReject) => void | Promise<void>,
): Promise<void> {
  const seen = new Map<number, Set<number>>();
  const tail = await kafka.tail({
    topic: TOPICS.rejects.name,
    from: 'start',
    async onRecords(records) {
      for (const { headers, value, timestampMillis } of records) {
        const partition = Number(headers[REJECT_HEADERS.partition]);
        const offset = Number(headers[REJECT_HEADERS.offset]);
        const reason = headers[REJECT_HEADERS.reason];
        // A fence is no reject.
        if (reason === undefined || !Number.isSafeInteger(partition) || !Number.isSafeInteger(offset))
          continue;
        const offsets = seen.get(partition) ?? new Set();
        seen.set(partition, offsets);
        if (offsets.has(offset)) continue;
        offsets.add(offset);
        const detail = headers[REJECT_HEADERS.detail] ?? '';
        const bytes = value ?? Buffer.alloc(0);
        await onReject({ partition, offset, reason, detail, timestampMillis, bytes });
      }
    },
  });
  try {
    await tail.caughtUp;
  } finally {
    await tail.close();
  }
}

/** A message, or a reading in it, that ingest could not map. */
export interface UnmappedReject {
  /** Topic of Kafka or MQTT that the message came by. */
  readonly topic: string;
  /** Place in a topic of Kafka; null for MQTT. */
  readonly partition: number | null;
  readonly offset: number | null;
  readonly reason: string;
  /** Path in the message, and what is wrong there. */
  readonly detail: string;
  readonly timestampMillis: number;
  /** Empty behind the first reject of a message. */
  readonly bytes: Buffer;
}

/** Rejects that `ingest-rejects` still has. Ingest writes some again after a crash: what has a place in a topic of Kafka comes once. */
export async function readUnmapped(kafka: Kafka, onReject: (reject: UnmappedReject) => void): Promise<void> {
  const seen = new Set<string>();
  const tail = await kafka.tail({
    topic: TOPICS.ingestRejects.name,
    from: 'start',
    onRecords(records) {
      for (const { key, headers, value, timestampMillis } of records) {
        const parsed = ingestRejectHeadersSchema.safeParse(headers);
        if (!parsed.success) continue;
        const { reason, path, 'source-topic': topic } = parsed.data;
        const { 'source-partition': partition = null, 'source-offset': offset = null } = parsed.data;
        if (offset !== null && key !== null) {
          const place = key.toString();
          if (seen.has(place)) continue;
          seen.add(place);
        }
        const detail = `${path}: ${parsed.data.detail}`;
        const bytes = value ?? Buffer.alloc(0);
        onReject({ topic, partition, offset, reason, detail, timestampMillis, bytes });
      }
    },
  });
  try {
    await tail.caughtUp;
  } finally {
    await tail.close();
  }
}
