import { requestedRollbackSchema } from '../core/contracts/evaluation';
import { type VersionId } from '../core/contracts/ids';
import { type RollbackInput } from '../core/contracts/live-checks';
import { parseInput, refuse } from './input';

/**
 * The rollback that a person asks the evaluation for. Without a version it is that of the champion that people see with the last check, and while
 * checks are paused of what serves: what a check saw before may be long out of service.
 * @throws ApplicationFailure `InvalidInput`, also for one without a version before the first check
 */
export function rollbackByHand(raw: unknown, seen: VersionId | null, isPaused: boolean): RollbackInput {
  const { version: named, to, ...remarks } = parseInput(requestedRollbackSchema, raw);
  const rollback = { ...remarks, ...(to === undefined ? {} : { to }) };
  if (named === undefined && isPaused) return rollback;
  const version = named ?? seen;
  if (version === null) throw refuse('version: no check has seen a champion yet; name it');
  return { ...rollback, version };
}
