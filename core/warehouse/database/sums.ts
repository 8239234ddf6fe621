import { z } from 'zod';

/** SQL: the tolerance of the deployment, in the target's unit. Part of a migration, like the SQL of the sums: fixed. */
export const STORED_TOLERANCE = '(SELECT tolerance FROM stream_settings)';

/** Sums over evaluation rows as SQL. `tolerance` is SQL for the tolerance that persistence is judged by. */
export function sumsOf(tolerance: string): string {
  return `
    count(*) AS evaluations,
    count(*) FILTER (WHERE is_correct) AS correct,
    sum(error) AS sum_error,
    sum(abs(error)) AS sum_absolute_error,
    sum(loss) AS sum_squared_error,
    sum(abs(persistence_error)) AS sum_persistence_absolute_error,
    count(*) FILTER (WHERE abs(persistence_error) <= ${tolerance}) AS persistence_correct,
    sum(confidence) AS sum_confidence`;
}

/** Sums of forecasts as served, as SQL: those that devices corrected, and those that were right. Rows of earlier releases were served as they are. */
export function servedSumsOf(tolerance: string): string {
  return `
    count(served_result) AS corrected,
    count(*) FILTER (WHERE CASE WHEN served_result IS NULL THEN is_correct
                                ELSE abs(served_result - actual_result) <= ${tolerance} END) AS served_correct`;
}

export const sumsRow = z.object({
  evaluations: z.int(),
  correct: z.int(),
  sum_error: z.number(),
  sum_absolute_error: z.number(),
  sum_squared_error: z.number(),
  sum_persistence_absolute_error: z.number(),
  persistence_correct: z.int(),
  sum_confidence: z.number(),
});
/** Sums over evaluation rows; errors in the target's unit. */
export type EvaluationSums = z.infer<typeof sumsRow>;

export function addUp(sums: readonly EvaluationSums[]): EvaluationSums {
  const names = sumsRow.keyof().options;
  return sumsRow.parse(
    Object.fromEntries(names.map((name) => [name, sums.reduce((total, one) => total + one[name], 0)])),
  );
}

/** What follows from the sums of at least one row. */
export function figuresOf(sums: EvaluationSums): {
  readonly accuracy: number;
  readonly skill: number | null;
  readonly mae: number;
  readonly rmse: number;
  readonly bias: number;
  readonly persistenceAccuracy: number;
} {
  const {
    evaluations: n,
    sum_absolute_error: error,
    sum_persistence_absolute_error: persistenceError,
  } = sums;
  return {
    accuracy: sums.correct / n,
    // 1 − MAE / MAE of persistence; null where persistence made no error at all.
    skill: persistenceError > 0 ? 1 - error / persistenceError : null,
    mae: error / n,
    rmse: Math.sqrt(sums.sum_squared_error / n),
    bias: sums.sum_error / n,
    persistenceAccuracy: sums.persistence_correct / n,
  };
}
