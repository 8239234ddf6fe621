import { z } from 'zod';
import { feedbackUsedSchema } from '../../../core/contracts/deployments';
import { jsonText } from '../../../core/contracts/validation';
import { type Query } from '../../../core/warehouse/database/query';
import { answered, type Answered } from './answered';

const actionRow = z.object({
  round: z.number(),
  regime: z.string(),
  n: z.number(),
  accuracy_before: z.number(),
  accuracy_after: z.number(),
  bias_before: z.number(),
  bias_after: z.number(),
  mae_before: z.number(),
  mae_after: z.number(),
});
export type ActionRow = z.infer<typeof actionRow>;

/**
 * Champion (before) and candidate (after) of each round on the device-windows that judged it and that both forecast; `all`, and by
 * regime.
 */
export function queryActions(query: Query, rounds: readonly number[]): Promise<Answered<ActionRow>> {
  return answered(
    query,
    actionRow,
    `WITH pairs AS (
  SELECT rounds.round, after.regime, after.actual_anomaly, before.is_correct AS correct_before, after.is_correct AS correct_after,
         before.error AS error_before, after.error AS error_after
  FROM federated_rounds AS rounds
  JOIN model_evaluations AS before ON before.model_version = rounds.champion
   AND before.window_start BETWEEN rounds.window_from AND rounds.window_until
  JOIN model_evaluations AS after ON after.model_version = rounds.model_version
   AND after.window_start = before.window_start AND after.device_id = before.device_id
  WHERE rounds.round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')})
), groups AS (
  SELECT 'all' AS name, * FROM pairs
  UNION ALL SELECT regime, * FROM pairs
  UNION ALL SELECT CASE WHEN actual_anomaly THEN 'anomalous' ELSE 'normal' END, * FROM pairs WHERE actual_anomaly IS NOT NULL
)
SELECT round, name AS regime, count(*)::DOUBLE AS n,
       avg(correct_before::DOUBLE) AS accuracy_before, avg(correct_after::DOUBLE) AS accuracy_after,
       avg(error_before) AS bias_before, avg(error_after) AS bias_after,
       avg(abs(error_before)) AS mae_before, avg(abs(error_after)) AS mae_after
FROM groups GROUP BY round, name ORDER BY round, name`,
  );
}

const feedbackUsedRow = z.object({
  round: z.number(),
  feedback_used: jsonText(feedbackUsedSchema),
});
export type FeedbackUsedRow = z.infer<typeof feedbackUsedRow>;

/** What each round was told, and what it did about it, as its lineage says. */
export function queryFeedbackUsed(
  query: Query,
  rounds: readonly number[],
): Promise<Answered<FeedbackUsedRow>> {
  return answered(
    query,
    feedbackUsedRow,
    `SELECT round, feedback_used::VARCHAR AS feedback_used FROM federated_rounds
WHERE round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')}) ORDER BY round`,
  );
}

const localsRow = z.object({
  round: z.number(),
  locals: z.number(),
  self_reported: z.number().nullable(),
  panel: z.number().nullable(),
});
export type LocalsRow = z.infer<typeof localsRow>;

/** What local models said of themselves against what panels of other devices found; the try that made a version alone counts. */
export function queryLocals(query: Query, rounds: readonly number[]): Promise<Answered<LocalsRow>> {
  return answered(
    query,
    localsRow,
    `SELECT round, count(*)::DOUBLE AS locals, avg(self_reported_accuracy) AS self_reported, avg(real_accuracy) AS panel
FROM round_local_models WHERE round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')})
GROUP BY round ORDER BY round`,
  );
}

const timelineRow = z.object({
  round: z.number(),
  started_at: z.number().nullable(),
  deployed_at: z.number(),
  first_scored_at: z.number().nullable(),
  last_scored_at: z.number().nullable(),
  decided_at: z.number().nullable(),
});
export type TimelineRow = z.infer<typeof timelineRow>;

/**
 * When each round was at work, by the wall clock: the decision before it (for the first round, the making of v0), its candidate's
 * deployment, the first and the last evaluation that judged it, and its decision.
 */
export function queryTimeline(query: Query, rounds: readonly number[]): Promise<Answered<TimelineRow>> {
  return answered(
    query,
    timelineRow,
    `WITH stages AS (
  SELECT round, min(staged_at) FILTER (WHERE stage = 'candidate') AS deployed_at,
         min(staged_at) FILTER (WHERE stage <> 'candidate') AS decided_at
  FROM model_stages GROUP BY round
), scored AS (
  SELECT rounds.round, min(evaluation_timestamp) AS first_scored_at, max(evaluation_timestamp) AS last_scored_at
  FROM federated_rounds AS rounds
  JOIN model_evaluations AS rows ON rows.model_version = rounds.model_version
   AND rows.window_start BETWEEN rounds.window_from AND rounds.window_until
  GROUP BY rounds.round
), timeline AS (
  SELECT round, lag(decided_at) OVER (ORDER BY round) AS started_at, deployed_at, decided_at FROM stages
)
SELECT round, epoch_us(started_at)::DOUBLE AS started_at, epoch_us(deployed_at)::DOUBLE AS deployed_at,
       epoch_us(first_scored_at)::DOUBLE AS first_scored_at, epoch_us(last_scored_at)::DOUBLE AS last_scored_at,
       epoch_us(decided_at)::DOUBLE AS decided_at
FROM timeline LEFT JOIN scored USING (round)
WHERE deployed_at IS NOT NULL AND round IN (${rounds.length === 0 ? 'NULL' : rounds.join(', ')})
ORDER BY round`,
  );
}
