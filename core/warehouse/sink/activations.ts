import { activationSchema, claimSchema, deactivationSchema } from '../../contracts/checkpoints';
import { z } from 'zod';
import { type Statements } from '../database/connection';
import { type SinkRecord } from './records';
import { timestampOrNull } from '../database/values';
import { parseJson } from '../../contracts/validation';

const messageSchema = z.discriminatedUnion('type', [claimSchema, activationSchema, deactivationSchema]);
export type ActivationMessage = z.infer<typeof messageSchema>;

/** Checkpoints are large and none of ours; only these kinds are looked into. */
const KEY = /^(claim|activation|deactivation)\//;

export function parseActivation(record: SinkRecord): ActivationMessage | undefined {
  if (record.key === null || !KEY.test(record.key)) return undefined;
  const parsed = messageSchema.safeParse(parseJson(record.value));
  return parsed.success ? parsed.data : undefined;
}

/**
 * Which windows each partition evaluates a version on. A message with an epoch lower than a claim before it in the log is
 * void: its writer had lost the partition.
 */
export async function storeActivation(
  inside: Statements,
  message: ActivationMessage,
  offset: number,
): Promise<void> {
  const { partition } = message;
  switch (message.type) {
    case 'claim':
      // The offset of a claim is its epoch, so the latest is the highest.
      return inside.run('INSERT OR REPLACE INTO stream_claims VALUES ($partition, $epoch, $worker)', {
        partition,
        epoch: BigInt(offset),
        worker: message.worker,
      });
    case 'activation':
      return inside.run(
        `INSERT INTO stream_activations SELECT $version, $partition, $epoch, $from, NULL
         WHERE NOT EXISTS (SELECT 1 FROM stream_claims WHERE source_partition = $partition AND epoch > $epoch)
         ON CONFLICT DO UPDATE SET epoch = excluded.epoch, from_window = excluded.from_window, until_window = NULL`,
        {
          version: message.version,
          partition,
          epoch: BigInt(message.epoch),
          from: timestampOrNull(message.from_window),
        },
      );
    case 'deactivation':
      return inside.run(
        `UPDATE stream_activations SET until_window = $until
         WHERE model_version = $version AND source_partition = $partition
           AND NOT EXISTS (SELECT 1 FROM stream_claims WHERE source_partition = $partition AND epoch > $epoch)`,
        {
          version: message.version,
          partition,
          epoch: BigInt(message.epoch),
          until: timestampOrNull(message.until_window),
        },
      );
  }
}
