import { type Session } from './session';
import { findRunning, type RunningSystem } from './running';
import { namesTemporal } from '../servers/temporal-client';
import { FedloopError } from '../../core/contracts/errors';

/**
 * Environment variables that lead to this folder's system: the running one, else the one that the session's variables name.
 * @throws FedloopError `ServerUnavailable` if there is neither.
 */
export async function deploymentEnvironment(session: Session): Promise<NodeJS.ProcessEnv> {
  const running = await findRunning(session.folder);
  if (running !== undefined) return { ...session.env, ...environmentOf(running) };
  if (namesTemporal(session.env)) return session.env;
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
  if (running !== undefined) return { ...session.env, ...environmentOf(running) };
  if ((session.env['KAFKA_BROKERS'] ?? '') !== '') return session.env;
  throw new FedloopError(
    'ServerUnavailable',
    'no system is running in this folder, and KAFKA_BROKERS names no broker',
    {
      hint: 'Start one in another terminal with `fedloop demo --stay`, or set KAFKA_BROKERS.',
    },
  );
}

/** Environment variables that lead to a running system. */
export function environmentOf({ kafka, temporal }: RunningSystem): NodeJS.ProcessEnv {
  return {
    KAFKA_BROKERS: kafka.brokers,
    FEDLOOP_TOPIC_PREFIX: kafka.topicPrefix,
    TEMPORAL_NAMESPACE: temporal.namespace,
    ...(temporal.address === null ? {} : { TEMPORAL_ADDRESS: temporal.address }),
    ...(temporal.configFile === null ? {} : { TEMPORAL_CONFIG_FILE: temporal.configFile }),
  };
}
