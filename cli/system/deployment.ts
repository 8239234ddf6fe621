import { resolve } from 'node:path';
import { readDeploymentFile } from '../../core/platform/deployment-file';
import { deployedIn } from './deployment-file';
import { type Session } from './session';
import { findRunning, type RunningSystem } from './running';
import { withoutOthers, type OwnServers } from '../servers/own-environment';
import { namesTemporal } from '../servers/temporal-client';
import { FedloopError } from '../../core/contracts/errors';

/**
 * Environment variables that lead to this folder's system: the running one, else the one that the session's variables name.
 * @throws FedloopError `ServerUnavailable` if there is neither.
 */
export async function deploymentEnvironment(session: Session): Promise<NodeJS.ProcessEnv> {
  const running = await findRunning(session.folder);
  if (running !== undefined) return environmentIn(session, running);
  if (namesTemporal(session.env)) return (await deployedIn(session)).env;
  throw new FedloopError(
    'ServerUnavailable',
    'no system is running in this folder, and TEMPORAL_ADDRESS names none',
    {
      hint: 'Start one with `fedloop up`, or set TEMPORAL_ADDRESS.',
    },
  );
}

/**
 * As `deploymentEnvironment`, for commands that need Kafka but not Temporal.
 * @throws FedloopError `ServerUnavailable`
 */
export async function dataPlaneEnvironment(session: Session): Promise<NodeJS.ProcessEnv> {
  const running = await findRunning(session.folder);
  if (running !== undefined) return environmentIn(session, running);
  if ((session.env['KAFKA_BROKERS'] ?? '') !== '') return (await deployedIn(session)).env;
  throw new FedloopError(
    'ServerUnavailable',
    'no system is running in this folder, and KAFKA_BROKERS names no broker',
    {
      hint: 'Start one in another terminal with `fedloop demo --stay`, or set KAFKA_BROKERS.',
    },
  );
}

/**
 * Environment variables of a command in the folder of a running system.
 * @throws FedloopError `InvalidConfig` when the user names the file of another fleet.
 */
export async function environmentIn(session: Session, running: RunningSystem): Promise<NodeJS.ProcessEnv> {
  const { FEDLOOP_CONFIG: file = '' } = session.env;
  if (file !== '') {
    const { fleet } = await readDeploymentFile(resolve(session.folder, file));
    if (fleet !== running.fleet)
      throw new FedloopError(
        'InvalidConfig',
        `the system that runs in this folder is the fleet ${running.fleet}, but ${file} describes the fleet ${fleet}: leave --config out, or work in another folder`,
      );
  }
  return { ...withoutOthers(session.env, ownServersOf(running)).env, ...environmentOf(running) };
}

/** Servers that a system has started itself take nobody's credentials; those that it was led to keep the environment's. */
function ownServersOf({ processes }: RunningSystem): OwnServers {
  const has = (name: string): boolean => processes.some((one) => one.name === name);
  return { kafka: has('Kafka'), temporal: has('Temporal') };
}

/** Environment variables that lead to a running system. */
export function environmentOf({ fleet, kafka, temporal }: RunningSystem): NodeJS.ProcessEnv {
  return {
    FEDLOOP_FLEET: fleet,
    KAFKA_BROKERS: kafka.brokers,
    FEDLOOP_TOPIC_PREFIX: kafka.topicPrefix,
    TEMPORAL_NAMESPACE: temporal.namespace,
    ...(temporal.address === null ? {} : { TEMPORAL_ADDRESS: temporal.address }),
    ...(temporal.configFile === null ? {} : { TEMPORAL_CONFIG_FILE: temporal.configFile }),
  };
}
