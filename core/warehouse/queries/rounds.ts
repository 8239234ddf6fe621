import { z } from 'zod';
import { stageSchema } from '../../contracts/deployments';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { federatedRoundResultSchema, type FederatedRoundResult } from '../../contracts/rounds';
import { type SerialConnection } from '../database/connection';
import { timestamp } from '../database/values';

/** Keep the result of a round; saying it again changes nothing. */
export function saveRound(connection: SerialConnection, result: FederatedRoundResult): Promise<void> {
  const { candidate, previousChampion, pairedChange, windows, updates } = result;
  return connection.run(
    `INSERT OR REPLACE INTO federated_rounds VALUES ($round, $version, $champion, $decision, $reason, $strategy, $role,
       $windows, $from, $until, $evaluations, $accuracy, $low, $high, $championAccuracy, $persistenceAccuracy,
       $change, $changeLow, $changeHigh, $selfReported, $localReal, $trained, $used, $feedback, $result,
       (SELECT max_by(staged_at, log_offset) FROM model_stages WHERE model_version = $version AND stage = 'rolled-back'),
       (SELECT max_by(reason, log_offset) FROM model_stages WHERE model_version = $version AND stage = 'rolled-back'))`,
    {
      round: result.round,
      version: result.version,
      champion: result.champion,
      decision: result.decision,
      reason: result.reason,
      strategy: result.strategy,
      role: result.role,
      windows: windows.count,
      from: timestamp(windows.from),
      until: timestamp(windows.until),
      evaluations: BigInt(candidate.evaluations),
      accuracy: candidate.accuracy,
      low: candidate.accuracyCi95[0],
      high: candidate.accuracyCi95[1],
      championAccuracy: previousChampion.accuracy,
      persistenceAccuracy: candidate.persistenceAccuracy,
      change: pairedChange.mean,
      changeLow: pairedChange.low,
      changeHigh: pairedChange.high,
      selfReported: result.selfReportedAccuracy,
      localReal: result.localRealAccuracy,
      trained: updates.trained,
      used: updates.used,
      feedback: JSON.stringify(result.feedbackUsed),
      result: JSON.stringify(result),
    },
  );
}

const resultRow = z.object({
  result: z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(federatedRoundResultSchema),
});

/** Results of past rounds, oldest first; the latest `last` of them when given. */
export async function pastRounds(
  connection: SerialConnection,
  last?: number,
): Promise<FederatedRoundResult[]> {
  const rows = await connection.rows(
    resultRow,
    `SELECT result FROM (SELECT round, result FROM federated_rounds ORDER BY round DESC ${last === undefined ? '' : 'LIMIT $last'})
     ORDER BY round`,
    last === undefined ? undefined : { last },
  );
  return rows.map(({ result }) => result);
}

const numberRow = z.object({ round: z.int() });

/** One more than any round that left a result or a version, so that no version is ever made twice. */
export async function nextRound(connection: SerialConnection): Promise<number> {
  const [row] = await connection.rows(
    numberRow,
    `SELECT 1 + greatest(0, (SELECT coalesce(max(round), 0) FROM federated_rounds),
                            (SELECT coalesce(max(round), 0) FROM model_versions)) AS round`,
  );
  return row?.round ?? 1;
}

/** What the two candidates of a past round did on the same device-windows. */
export interface Evidence {
  readonly round: number;
  readonly steady: VersionId;
  readonly responsive: VersionId;
  readonly evaluations: number;
  readonly steadyAccuracy: number;
  readonly responsiveAccuracy: number;
}

const evidenceRow = z.object({
  round: z.int(),
  steady: versionIdSchema,
  responsive: versionIdSchema,
  evaluations: z.int(),
  steady_accuracy: z.number(),
  responsive_accuracy: z.number(),
});

/**
 * Steady against responsive candidates of the latest `last` rounds that had both, on the windows that judged them and the
 * device-windows that both forecast; oldest first.
 */
export async function evidenceOfRounds(connection: SerialConnection, last: number): Promise<Evidence[]> {
  const rows = await connection.rows(
    evidenceRow,
    `WITH pairs AS (
       SELECT rounds.round, rounds.window_from, rounds.window_until,
              steady.model_version AS steady, responsive.model_version AS responsive
       FROM federated_rounds AS rounds
       JOIN model_versions AS steady ON steady.round = rounds.round AND steady.role = 'steady'
       JOIN model_versions AS responsive ON responsive.round = rounds.round AND responsive.role = 'responsive'
       ORDER BY rounds.round DESC LIMIT $last
     )
     SELECT pairs.round, pairs.steady, pairs.responsive, count(*) AS evaluations,
            count(*) FILTER (WHERE one.is_correct) / count(*) AS steady_accuracy,
            count(*) FILTER (WHERE other.is_correct) / count(*) AS responsive_accuracy
     FROM pairs
     JOIN evaluation_rows AS one ON one.model_version = pairs.steady
          AND one.window_start BETWEEN pairs.window_from AND pairs.window_until
     JOIN evaluation_rows AS other ON other.model_version = pairs.responsive
          AND other.window_start = one.window_start AND other.device_id = one.device_id
     GROUP BY ALL ORDER BY pairs.round`,
    { last },
  );
  return rows.map((row) => ({
    round: row.round,
    steady: row.steady,
    responsive: row.responsive,
    evaluations: row.evaluations,
    steadyAccuracy: row.steady_accuracy,
    responsiveAccuracy: row.responsive_accuracy,
  }));
}

export interface ScoreboardLine {
  readonly version: VersionId;
  readonly stage: string | null;
  readonly round: number | null;
  readonly windows: number;
  readonly evaluations: number;
  /** Over everything the version was ever measured on; versions were not measured on the same windows. */
  readonly accuracy: number;
  readonly persistenceAccuracy: number;
  readonly bias: number;
  readonly mae: number;
  readonly rmse: number;
  readonly skill: number | null;
}

const scoreboardRow = z.object({
  model_version: versionIdSchema,
  stage: z.string().nullable(),
  round: z.int().nullable(),
  windows: z.int(),
  evaluations: z.int(),
  accuracy: z.number(),
  persistence_accuracy: z.number(),
  bias: z.number(),
  mae: z.number(),
  rmse: z.number(),
  skill: z.number().nullable(),
});

/** Lifetime accuracy of every version that was ever measured, oldest first. */
export async function scoreboard(connection: SerialConnection): Promise<ScoreboardLine[]> {
  const rows = await connection.rows(
    scoreboardRow,
    `SELECT * EXCLUDE (correct, role, strategy, first_window, last_window) FROM model_scoreboard
     ORDER BY round NULLS FIRST, model_version`,
  );
  return rows.map(({ model_version: version, persistence_accuracy: persistenceAccuracy, ...rest }) => ({
    version,
    persistenceAccuracy,
    ...rest,
  }));
}

export interface SelfReport {
  readonly round: number;
  readonly locals: number;
  readonly selfReportedAccuracy: number | null;
  readonly realAccuracy: number | null;
}

const selfReportRow = z.object({
  round: z.int(),
  locals: z.int(),
  self_reported: z.number().nullable(),
  real: z.number().nullable(),
});

/** What locals claimed against what panels found, by round. Only the try that made a version counts. */
export async function selfReports(connection: SerialConnection): Promise<SelfReport[]> {
  const rows = await connection.rows(
    selfReportRow,
    `SELECT round, count(*) AS locals, avg(self_reported_accuracy) AS self_reported, avg(real_accuracy) AS real
     FROM local_models WHERE model_version IS NOT NULL GROUP BY round ORDER BY round`,
  );
  return rows.map(({ round, locals, self_reported, real }) => ({
    round,
    locals,
    selfReportedAccuracy: self_reported,
    realAccuracy: real,
  }));
}

export interface StageChange {
  readonly version: VersionId;
  readonly stage: z.infer<typeof stageSchema>;
  readonly round: number;
  readonly reason: string;
  readonly at: number;
}

const stageRow = z.object({
  model_version: versionIdSchema,
  stage: stageSchema,
  round: z.int(),
  reason: z.string(),
  staged_at: z.int(),
});

/** Every change of stage in the order of the log; `championHistory` are those that made a champion. */
export async function stageHistory(connection: SerialConnection): Promise<StageChange[]> {
  const rows = await connection.rows(
    stageRow,
    'SELECT model_version, stage, round, reason, staged_at FROM model_stages ORDER BY log_offset',
  );
  return rows.map(({ model_version, staged_at, ...rest }) => ({
    version: model_version,
    at: staged_at,
    ...rest,
  }));
}

export async function championHistory(connection: SerialConnection): Promise<StageChange[]> {
  return (await stageHistory(connection)).filter(({ stage }) => stage === 'champion');
}
