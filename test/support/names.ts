import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { fleetNames } from '../../core/contracts/queues';

/** Names of the fleet that most tests run. */
export const NAMES = fleetNames(DEFAULT_FLEET);
