import { z } from 'zod';
import { versionIdSchema } from '../../contracts/ids';
import { federatedRoundResultSchema, type FederatedRoundResult } from '../../contracts/rounds';
import { jsonText } from '../../contracts/validation';
import { type SerialConnection } from '../database/connection';
import { insertRow } from '../database/insert';
import { timestamp } from '../database/values';

const ROLLBACK = (column: string): string =>
  `(SELECT max_by(${column}, log_offset) FROM model_stages WHERE model_version = $version AND stage = 'rolled-back')`;

const attemptRow = z.object({ attempt: z.string().nullable() });

/** The try whose result is stored for a round: null for one of an earlier release; undefined where none is stored. */
export async function savedAttempt(
  connection: SerialConnection,
  round: number,
): Promise<string | null | undefined> {
  const [row] = await connection.rows(
    attemptRow,
    'SELECT attempt FROM federated_rounds WHERE round = $round',
    { round },
  );
  return row?.attempt;
}

/** Store the result of a round; storing it again changes nothing. */
export function saveRound(
  connection: SerialConnection,
  result: FederatedRoundResult,
  attempt: string,
): Promise<void> {
  const { version, candidate, previousChampion, pairedChange, windows, updates } = result;
  const row = {
    round: result.round,
    attempt,
    model_version: version,
    champion: result.champion,
    decision: result.decision,
    finding: result.finding ?? null,
    reason: result.reason,
    strategy: result.strategy,
    role: result.role,
    windows: windows.count,
    window_from: timestamp(windows.from),
    window_until: timestamp(windows.until),
    evaluations: BigInt(candidate.evaluations),
    accuracy: candidate.accuracy,
    accuracy_low: candidate.accuracyCi95[0],
    accuracy_high: candidate.accuracyCi95[1],
    champion_accuracy: previousChampion.accuracy,
    persistence_accuracy: candidate.persistenceAccuracy,
    paired_change: pairedChange.mean,
    paired_change_low: pairedChange.low,
    paired_change_high: pairedChange.high,
    self_reported_accuracy: result.selfReportedAccuracy,
    local_real_accuracy: result.localRealAccuracy,
    updates_trained: updates.trained,
    updates_used: updates.used,
    feedback_used: JSON.stringify(result.feedbackUsed),
    result: JSON.stringify(result),
  };
  return connection.transaction(async (inside) => {
    await insertRow(inside, 'federated_rounds', row, 'replace');
    // A rollback may have come in the log before the round's result.
    await inside.run(
      `UPDATE federated_rounds SET rolled_back_at = ${ROLLBACK('staged_at')}, rollback_reason = ${ROLLBACK('reason')}
       WHERE model_version = $version`,
      { version },
    );
  });
}

const resultRow = z.object({ result: jsonText(federatedRoundResultSchema) });

/** Results of the latest `last` rounds, oldest first. */
export async function pastRounds(
  connection: SerialConnection,
  last: number,
): Promise<FederatedRoundResult[]> {
  const rows = await connection.rows(
    resultRow,
    'SELECT result FROM federated_rounds ORDER BY round DESC LIMIT $last',
    { last },
  );
  return rows.map(({ result }) => result).reverse();
}

const scoreRow = z.object({
  version: versionIdSchema,
  evaluations: z.int(),
  accuracy: z.number(),
  servedAccuracy: z.number(),
  persistenceAccuracy: z.number(),
});

/** Accuracy of a version over all of its evaluations; those of other versions are of other windows. */
type LifetimeScore = z.infer<typeof scoreRow>;

/** Lifetime scores of every version that was evaluated, oldest first. */
export function lifetimeScores(connection: SerialConnection): Promise<LifetimeScore[]> {
  return connection.rows(
    scoreRow,
    `SELECT model_version AS version, evaluations, accuracy, served_accuracy AS "servedAccuracy",
            persistence_accuracy AS "persistenceAccuracy"
     FROM model_scoreboard ORDER BY round NULLS FIRST, model_version`,
  );
}
