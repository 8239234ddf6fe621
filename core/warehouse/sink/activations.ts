import { z } from 'zod';
import { activationSchema, claimSchema, deactivationSchema } from '../../contracts/checkpoints';
import { describeIssues, parseJson } from '../../contracts/validation';
import { type Statements } from '../database/connection';
import { insertRow } from '../database/insert';
import { timestampOrNull } from '../database/values';
import { type Change, type SinkRecord } from './records';

const messageSchema = z.discriminatedUnion('type', [claimSchema, activationSchema, deactivationSchema]);

/** Checkpoints are large and not stored here; only these kinds are parsed. */
const KEY = /^(claim|activation|deactivation)\//;

/** Which windows each partition evaluates a version on. */
export function activationChange({ key, value, offset }: SinkRecord, partition: number): Change {
  if (key === null || value === null || !KEY.test(key)) return undefined;
  const parsed = messageSchema.safeParse(parseJson(value));
  if (!parsed.success) return describeIssues(parsed.error, messageSchema);
  const message = parsed.data;
  if (message.partition !== partition) return `a message of partition ${message.partition}`;
  return (inside) => storeActivation(inside, message, offset);
}

/**
 * An epoch is the offset of a claim, and that of the latest claim before it in the log holds. The writer of an older one had lost the
 * partition; one that no claim has is forged.
 */
const OWNS_PARTITION =
  'NOT EXISTS (SELECT 1 FROM stream_claims WHERE source_partition = $partition AND epoch <> $epoch)';

function storeActivation(
  inside: Statements,
  message: z.infer<typeof messageSchema>,
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
