import { z } from 'zod';
import { FEDLOOP } from '../../contracts/live-checks';
import { type Query } from '../database/query';
import { ROUND_RECORDED_WITHIN_MINUTES } from '../limits';

/** A round that promoted a version, and of which the tables have no record. */
const lostRoundSchema = z.object({ round: z.int(), version: z.string() });
export type LostRound = z.infer<typeof lostRoundSchema>;

/** A version that a person made champion need not have been promoted by its round. The latest round may be about to write its record: it does so within minutes. */
const LOST_ROUNDS = `SELECT DISTINCT s.round::INT AS round, s.model_version AS version
  FROM model_stages AS s JOIN model_versions AS v ON v.model_version = s.model_version AND v.round = s.round
  WHERE s.stage = 'champion' AND s.changed_by = '${FEDLOOP}' AND s.round > 0 AND s.round NOT IN (SELECT round FROM federated_rounds)
    AND (s.round < (SELECT max(round) FROM model_versions) OR s.staged_at < now()::TIMESTAMP - INTERVAL ${ROUND_RECORDED_WITHIN_MINUTES} MINUTE)
  ORDER BY round`;

/**
 * Promotions that the topics know and the records of rounds lack. Rows of windows come back from the topics when a warehouse loses them; records
 * of rounds do not.
 */
export function lostRounds(query: Query): Promise<readonly LostRound[]> {
  return query(lostRoundSchema, LOST_ROUNDS);
}

/** @returns one sentence; undefined where none is missing. */
export function lostRoundsSentence(lost: readonly LostRound[]): string | undefined {
  if (lost.length === 0) return undefined;
  const named = lost.map(({ round, version }) => `${round} (promoted ${version})`).join(', ');
  return `federated_rounds has no record of ${lost.length === 1 ? 'round' : 'rounds'} ${named}: terminated while deciding, or lost with a warehouse file`;
}
