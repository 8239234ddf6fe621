import { environmentSchema, type Environment } from '../contracts/config';
import { parseOrThrow } from '../contracts/validation';

/**
 * Read and check the process's environment once, at start.
 * @throws FedloopError `InvalidConfig` naming the variables that are wrong; values are not echoed, they may be secrets.
 */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  // An empty variable means "not set": shells and compose files write them so.
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ''),
  );
  return parseOrThrow(environmentSchema, set, 'the environment', 'InvalidConfig');
}
