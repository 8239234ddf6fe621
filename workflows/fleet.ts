import { workflowInfo } from '@temporalio/workflow';
import { DEFAULT_FLEET } from '../core/contracts/ids';
import { fleetNames, fleetOfRoundsQueue, type FleetNames } from '../core/contracts/queues';

/**
 * Names of the fleet that the workflow belongs to. Its task queue tells which: rounds workers run workflows of their own fleet alone. A
 * recorded history is replayed on a made-up queue, whose number (`pumps-rounds-1`, from the `replayName` `pumps-rounds`) is left out; on any other
 * queue it is taken for one of the default fleet.
 */
export function ownFleet(): FleetNames {
  const queue = workflowInfo().taskQueue.replace(/-rounds-\d+$/, '-rounds');
  return fleetNames(fleetOfRoundsQueue(queue) ?? DEFAULT_FLEET);
}
