import { z } from 'zod';
import { DEFAULT_TASK, sensorNameSchema, type TargetWords } from '../../contracts/task';
import { type Query } from '../database/query';

/** SQL: what is forecast, its unit, and the tolerance, of `stream_settings`. */
export const TARGET_COLUMNS =
  "task ->> '$.target.sensor' AS sensor, task ->> '$.target.unit' AS unit, tolerance";

const { sensor, unit } = DEFAULT_TASK.target;

/** A deployment from before tasks were stored has the default one. */
export const targetRow = z.object({
  sensor: sensorNameSchema.nullable().transform((name) => name ?? sensor),
  unit: z
    .string()
    .nullable()
    .transform((name) => name ?? unit),
  tolerance: z.number(),
});

/** The target of the deployment, as status and metrics name it; null before an analytics worker has stored its settings. */
export async function queryTarget(query: Query): Promise<TargetWords | null> {
  const [target] = await query(targetRow, `SELECT ${TARGET_COLUMNS} FROM stream_settings`);
  return target ?? null;
}
