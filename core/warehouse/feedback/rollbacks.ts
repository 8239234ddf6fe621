import { z } from 'zod';
import { type RollbackFeedback } from '../../contracts/feedback';
import { versionIdSchema } from '../../contracts/ids';
import { isoOfMicros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { insertRow } from '../database/insert';

const rollbackRow = z.object({
  logOffset: z.int(),
  model_version: versionIdSchema,
  champion: versionIdSchema.nullable(),
  reason: z.string(),
  by: z.string(),
  at: z.int().transform(isoOfMicros),
});

/** Rollbacks of the log that were not published on `model-feedback` yet, oldest first. */
export async function unpublishedRollbacks(
  connection: SerialConnection,
): Promise<{ readonly logOffset: number; readonly message: RollbackFeedback }[]> {
  const rows = await connection.rows(
    rollbackRow,
    `SELECT gone.log_offset AS "logOffset", gone.model_version, gone.reason, gone.changed_by AS "by", gone.staged_at AS "at",
            (SELECT max_by(next.model_version, next.log_offset) FROM model_stages AS next
             WHERE next.stage = 'champion' AND next.log_offset < gone.log_offset
               AND next.model_version <> gone.model_version) AS champion
     FROM model_stages AS gone ANTI JOIN rollback_feedback AS published USING (log_offset)
     WHERE gone.stage = 'rolled-back' ORDER BY gone.log_offset`,
  );
  return rows.map(({ logOffset, ...change }) => ({ logOffset, message: { type: 'rollback', ...change } }));
}

export function markRollbackPublished(connection: SerialConnection, logOffset: number): Promise<void> {
  return insertRow(connection, 'rollback_feedback', { log_offset: BigInt(logOffset) }, 'ignore');
}
