import { z } from 'zod';
import { type RollbackFeedback } from '../../contracts/feedback';
import { versionIdSchema } from '../../contracts/ids';
import { isoOfMicros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';

const rollbackRow = z.object({
  log_offset: z.int(),
  model_version: versionIdSchema,
  champion: versionIdSchema.nullable(),
  reason: z.string(),
  changed_by: z.string(),
  staged_at: z.int(),
});

/** Rollbacks of the log that `model-feedback` has not heard of, oldest first. */
export async function unpublishedRollbacks(
  connection: SerialConnection,
): Promise<{ readonly logOffset: number; readonly message: RollbackFeedback }[]> {
  const rows = await connection.rows(
    rollbackRow,
    `SELECT gone.log_offset, gone.model_version, gone.reason, gone.changed_by, gone.staged_at,
            (SELECT max_by(next.model_version, next.log_offset) FROM model_stages AS next
             WHERE next.stage = 'champion' AND next.log_offset < gone.log_offset
               AND next.model_version <> gone.model_version) AS champion
     FROM model_stages AS gone ANTI JOIN rollback_feedback AS said USING (log_offset)
     WHERE gone.stage = 'rolled-back' ORDER BY gone.log_offset`,
  );
  return rows.map(({ log_offset, model_version, champion, reason, changed_by, staged_at }) => ({
    logOffset: log_offset,
    message: {
      type: 'rollback',
      model_version,
      champion,
      reason,
      by: changed_by,
      at: isoOfMicros(staged_at),
    },
  }));
}

export function markRollbackPublished(connection: SerialConnection, logOffset: number): Promise<void> {
  return connection.run('INSERT OR IGNORE INTO rollback_feedback VALUES ($offset)', {
    offset: BigInt(logOffset),
  });
}
