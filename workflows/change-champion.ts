import { proxyActivities } from '@temporalio/workflow';
import { type RoundsActivities } from '../activities/rounds';
import { changeChampionInputSchema, type ChampionChange } from '../core/contracts/live-checks';
import { ROUNDS_QUEUE } from '../core/contracts/queues';
import { parseInput } from './input';
import { CHANGE_BY_HAND } from './limits';

const rounds = proxyActivities<RoundsActivities>({ ...CHANGE_BY_HAND, taskQueue: ROUNDS_QUEUE });

/** A person promotes a version, or rolls the champion back. */
export async function changeChampion(rawInput?: unknown): Promise<ChampionChange> {
  const { action, ...input } = parseInput(changeChampionInputSchema, rawInput);
  return action === 'promote' ? rounds.promote(input) : rounds.rollback(input);
}
