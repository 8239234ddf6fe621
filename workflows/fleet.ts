import { workflowInfo } from '@temporalio/workflow';
import { DEFAULT_FLEET } from '../core/contracts/ids';
import { fleetNames, fleetOfRoundsQueue, type FleetNames } from '../core/contracts/queues';
import { refuse } from './input';

/**
 * Names of the fleet that the workflow belongs to. Its task queue tells which: rounds workers run workflows of their own fleet alone. A
 * recorded history is replayed on a made-up queue, whose number (`pumps-rounds-1`, from the `replayName` `pumps-rounds`) is left out; on any other
 * queue it is taken for one of the default fleet.
 */
export function ownFleet(): FleetNames {
  const queue = workflowInfo().taskQueue.replace(/-rounds-\d+$/, '-rounds');
  return fleetNames(fleetOfRoundsQueue(queue) ?? DEFAULT_FLEET);
}

/**
 * Two ids are the fleet's locks: the round that plays has one, the evaluation the other. Anything else under them would keep those out for as long as it runs,
 * and a training would wait for itself.
 * @param own the lock that the calling workflow may have
 * @throws ApplicationFailure `InvalidInput` for a run under a lock that is not its own
 */
export function refuseLockedId(own?: 'roundId'): void {
  const names = ownFleet();
  const { workflowId, workflowType } = workflowInfo();
  for (const lock of ['roundId', 'evaluationId'] as const) {
    if (workflowId === names[lock] && lock !== own)
      throw refuse(
        `${workflowId} is the id of ${OWNERS[lock]} alone: start ${workflowType} under another one`,
      );
  }
}

const OWNERS = { roundId: 'the round that plays', evaluationId: 'the live evaluation' } as const;
