import { proxyActivities } from '@temporalio/workflow';
import { type RoundsActivities } from '../activities/rounds';
import { changeChampionInputSchema, type ChampionChange } from '../core/contracts/live-checks';
import { ownFleet, refuseLockedId } from './fleet';
import { parseInput } from './input';
import { CHANGE_BY_HAND } from './limits';

/** A person promotes a version, or rolls the champion back. */
export async function changeChampion(rawInput?: unknown): Promise<ChampionChange> {
  refuseLockedId();
  const { action, ...input } = parseInput(changeChampionInputSchema, rawInput);
  const taskQueue = ownFleet().roundsQueue;
  const rounds = proxyActivities<RoundsActivities>({ ...CHANGE_BY_HAND, taskQueue });
  return action === 'promote' ? rounds.promote(input) : rounds.rollback(input);
}
