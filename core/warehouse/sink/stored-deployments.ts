import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { TOPICS } from '../../contracts/topics';
import { type SerialConnection } from '../database/connection';
import { type SinkRecords } from './records';

/** What is stored of `model-deployments`, as far as a message is judged by it (core/model/deployment-order.ts). */
export interface StoredDeployments {
  /** Order of the message under each key. */
  readonly orders: Map<string, number>;
  /** Hashes of models. All of them fit the task: others are put aside. */
  readonly hashes: Map<VersionId, string>;
  readonly staged: Set<VersionId>;
}

const versionRow = z.object({
  model_version: versionIdSchema,
  sha256: z.string().nullable(),
  created_at: z.int().nullable(),
  stage_at: z.int().nullable(),
});

/**
 * What the tables hold, for batches with deployments. Read for each such batch, as one that could not be stored comes again whole.
 */
export async function storedDeployments(
  connection: Pick<SerialConnection, 'rows'>,
  batches: readonly SinkRecords[],
): Promise<StoredDeployments> {
  const stored: StoredDeployments = { orders: new Map(), hashes: new Map(), staged: new Set() };
  if (!batches.some(({ topic, records }) => topic === TOPICS.deployments.name && records.length > 0))
    return stored;
  const sql = 'SELECT model_version, sha256, created_at, stage_at FROM model_versions';
  for (const { model_version, sha256, created_at, stage_at } of await connection.rows(versionRow, sql)) {
    if (sha256 !== null) stored.hashes.set(model_version, sha256);
    if (created_at !== null) stored.orders.set(`model/${model_version}`, created_at);
    if (stage_at === null) continue;
    stored.orders.set(`stage/${model_version}`, stage_at);
    stored.staged.add(model_version);
  }
  return stored;
}
