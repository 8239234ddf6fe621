import { z } from 'zod';
import { type SerialConnection } from '../database/connection';

/**
 * SQL of the linear models of rounds since `first`, each with the network that was elected beside it, as `round`, `candidate` (the linear
 * model) and `champion` (the network); a try of a round has one of each.
 */
export function linearPairsSql(first: number): string {
  return `SELECT linear.round AS round, linear.model_version AS candidate, beside.model_version AS champion
     FROM model_versions AS linear
     JOIN model_versions AS beside
       ON beside.round = linear.round AND beside.role = linear.network
          AND split_part(beside.model_version, '-', 1) = split_part(linear.model_version, '-', 1)
     WHERE linear.role = 'linear' AND linear.round >= ${first}`;
}

const rowsRow = z.object({ round: z.int(), rows: z.int() });

/** By round since `first`: evaluations of its linear model and the network beside it, of any device-windows. */
export async function linearRowCounts(
  connection: SerialConnection,
  first: number,
): Promise<ReadonlyMap<number, number>> {
  const counts = await connection.rows(
    rowsRow,
    `SELECT round, count(*) AS rows
     FROM (SELECT round, unnest([candidate, champion]) AS model_version FROM (${linearPairsSql(first)}))
     JOIN evaluation_rows USING (model_version) GROUP BY round`,
  );
  return new Map(counts.map(({ round, rows }) => [round, rows]));
}

const accuracyRow = z.object({ linear: z.number().nullable(), network: z.number().nullable() });
/** Accuracy (0 to 1) of both on the device-windows that both forecast; null without any. */
export type LinearAccuracy = z.infer<typeof accuracyRow>;

/** The linear model of one round beside the network that was elected. */
export async function linearAccuracyOf(connection: SerialConnection, round: number): Promise<LinearAccuracy> {
  const [row] = await connection.rows(
    accuracyRow,
    `SELECT avg(candidate.is_correct::INTEGER) AS linear, avg(champion.is_correct::INTEGER) AS network
     FROM (${linearPairsSql(round)}) AS pairs
     JOIN evaluation_rows AS candidate ON candidate.model_version = pairs.candidate
     JOIN evaluation_rows AS champion
       ON champion.model_version = pairs.champion AND champion.device_id = candidate.device_id
          AND champion.window_start = candidate.window_start
     WHERE pairs.round = $round`,
    { round },
  );
  return row ?? { linear: null, network: null };
}
