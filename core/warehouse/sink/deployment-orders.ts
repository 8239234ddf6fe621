import { z } from 'zod';
import { TOPICS } from '../../contracts/topics';
import { type SerialConnection } from '../database/connection';
import { type SinkRecords } from './records';

/** Order of the message that is stored under each key of `model-deployments` (core/model/deployment-order.ts). */
export type StoredOrders = Map<string, number>;

const versionRow = z.object({
  model_version: z.string(),
  created_at: z.int().nullable(),
  stage_at: z.int().nullable(),
});

/**
 * What the tables hold, for batches with signed messages: one that is older than that was sent again, and is put aside. Read for each such
 * batch, as one that could not be stored comes again whole.
 */
export async function storedOrders(
  connection: Pick<SerialConnection, 'rows'>,
  batches: readonly SinkRecords[],
): Promise<StoredOrders> {
  const orders: StoredOrders = new Map();
  const isSigned = ({ topic, records }: SinkRecords): boolean =>
    topic === TOPICS.deployments.name && records.some(({ signature }) => signature === 'valid');
  if (!batches.some(isSigned)) return orders;
  const sql = 'SELECT model_version, created_at, stage_at FROM model_versions';
  for (const { model_version, created_at, stage_at } of await connection.rows(versionRow, sql)) {
    if (created_at !== null) orders.set(`model/${model_version}`, created_at);
    if (stage_at !== null) orders.set(`stage/${model_version}`, stage_at);
  }
  return orders;
}
