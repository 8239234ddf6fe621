import { z } from 'zod';
import { activationSchema, claimSchema, deactivationSchema, gapSchema } from '../../contracts/checkpoints';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { describeIssues, parseJson } from '../../contracts/validation';
import { type Statements } from '../database/connection';
import { insertRow } from '../database/insert';
import { timestamp, timestampOrNull } from '../database/values';
import { type Change, type SinkRecord } from './records';

const messageSchema = z.discriminatedUnion('type', [
  claimSchema,
  activationSchema,
  deactivationSchema,
  gapSchema,
]);

/** Checkpoints are large and not stored here; only these kinds are parsed. */
const KEY = /^(claim|activation|deactivation|gap)\//;

/**
 * Which windows each partition evaluates a version on, and which events were lost.
 * @param eventTopic whose events these are.
 */
export function decisionChange(record: SinkRecord, partition: number, eventTopic: string): Change {
  const { key, value } = record;
  if (key === null || value === null || !KEY.test(key)) return undefined;
  const parsed = messageSchema.safeParse(parseJson(value));
  if (!parsed.success) return describeIssues(parsed.error, messageSchema);
  const message = parsed.data;
  if (message.partition !== partition) return `a message of partition ${message.partition}`;
  return message.type === 'gap'
    ? (inside) => storeGap(inside, message, { eventTopic, noticedMillis: record.timestampMillis })
    : (inside) => storeActivation(inside, message, record.offset);
}

/**
 * An epoch is the offset of a claim, and that of the latest claim before it in the log holds. The writer of an older one had lost the
 * partition; one that no claim has is forged.
 */
const OWNS_PARTITION =
  'NOT EXISTS (SELECT 1 FROM stream_claims WHERE source_partition = $partition AND epoch <> $epoch)';

type Gap = z.infer<typeof gapSchema>;

/** A log that is stored again from its beginning names the same gaps. */
function storeGap(
  inside: Statements,
  { partition, epoch, from, until }: Gap,
  { eventTopic, noticedMillis }: { readonly eventTopic: string; readonly noticedMillis: number },
): Promise<void> {
  return inside.run(
    `INSERT INTO lost_records (topic, source_partition, from_offset, until_offset, noticed_at)
     SELECT $topic, $partition, $from, $until, $noticed WHERE ${OWNS_PARTITION}
     AND NOT EXISTS (SELECT 1 FROM lost_records WHERE topic = $topic AND source_partition = $partition
                     AND from_offset = $from AND until_offset = $until)`,
    {
      topic: eventTopic,
      partition,
      epoch: BigInt(epoch),
      from: BigInt(from),
      until: BigInt(until),
      noticed: timestamp(noticedMillis * MICROS_PER_MILLI),
    },
  );
}

function storeActivation(
  inside: Statements,
  message: Exclude<z.infer<typeof messageSchema>, Gap>,
  offset: number,
): Promise<void> {
  const { partition } = message;
  if (message.type === 'claim') {
    // The offset of a claim is its epoch, so the latest is the highest.
    const claim = { source_partition: partition, epoch: BigInt(offset), worker: message.worker };
    return insertRow(inside, 'stream_claims', claim, 'replace');
  }
  const writer = { version: message.version, partition, epoch: BigInt(message.epoch) };
  if (message.type === 'activation')
    return inside.run(
      `INSERT INTO stream_activations SELECT $version, $partition, $epoch, $from, NULL WHERE ${OWNS_PARTITION}
       ON CONFLICT DO UPDATE SET epoch = excluded.epoch, from_window = excluded.from_window, until_window = NULL`,
      { ...writer, from: timestampOrNull(message.from_window) },
    );
  return inside.run(
    `UPDATE stream_activations SET until_window = $until
     WHERE model_version = $version AND source_partition = $partition AND ${OWNS_PARTITION}`,
    { ...writer, until: timestampOrNull(message.until_window) },
  );
}
