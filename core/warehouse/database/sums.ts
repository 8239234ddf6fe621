import { z } from 'zod';

/**
 * Sums over evaluation rows as SQL. `tolerance` is SQL of our own for the tolerance in °C that persistence is judged by:
 * a parameter, or the stored setting.
 */
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
