import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KAFKA_SECURITY_VARIABLES } from '../../core/contracts/config';
import { readEnvironment } from '../../core/platform/config';
import { type Child } from '../processes/child';
import { type Processes } from '../processes/processes';
import { type Progress } from '../progress';
import { findJava } from './java';
import { obtainKafka } from './obtain-kafka';
import { obtainTemporal } from './obtain-temporal';
import { requireFree } from './ports';
import { requireBroker, startKafka } from './start-kafka';
import { startTemporal, TEMPORAL_NAMESPACE } from './start-temporal';
import { connectTemporal, namesTemporal } from './temporal-client';

export interface ServersStart {
  /** The user's environment; servers that it names are used and not started. */
  readonly env: NodeJS.ProcessEnv;
  readonly cache: string;
  /** Folder for the data of started servers. */
  readonly folder: string;
  readonly logFolder: string;
  readonly processes: Processes;
  readonly progress: Progress;
  /** Ports that the user named; free ones otherwise. */
  readonly ports?: {
    readonly kafka?: number | undefined;
    readonly temporal?: number | undefined;
    readonly temporalUi?: number | undefined;
  };
}

/** Running servers and their addresses. */
export interface Servers {
  readonly kafka: { readonly brokers: string; readonly child: Child | undefined };
  readonly temporal: {
    /** TEMPORAL_ADDRESS; undefined when a profile names the server. */
    readonly address: string | undefined;
    readonly namespace: string;
    readonly uiUrl: string | undefined;
    readonly metricsUrl: string | undefined;
    readonly child: Child | undefined;
  };
  /** Environment for processes that use them. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Find or start Kafka and Temporal: those that the environment names, else new ones. Both answer when this resolves.
 * @throws FedloopError `ServerUnavailable`, `KafkaUnavailable`, `PortInUse`, `InvalidConfig`
 */
export async function startServers(start: ServersStart): Promise<Servers> {
  const named = readEnvironment(start.env).KAFKA_BROKERS;
  if (start.ports?.kafka !== undefined) await requireFree(start.ports.kafka, '--kafka-port');
  if (start.ports?.temporal !== undefined) await requireFree(start.ports.temporal, '--temporal-port');
  if (start.ports?.temporalUi !== undefined) await requireFree(start.ports.temporalUi, '--ui-port');
  await mkdir(start.folder, { recursive: true });
  await mkdir(start.logFolder, { recursive: true });
  const [kafka, temporal] = await Promise.all([
    named === undefined ? ownKafka(start) : namedKafka(named),
    namesTemporal(start.env) ? namedTemporal(start.env) : ownTemporal(start),
  ]);
  return {
    kafka: kafka.server,
    temporal: temporal.server,
    env: { ...start.env, ...kafka.env, ...temporal.env },
  };
}

interface Had<Server> {
  readonly server: Server;
  readonly env: NodeJS.ProcessEnv;
}

async function namedKafka(brokers: readonly string[]): Promise<Had<Servers['kafka']>> {
  await requireBroker(brokers);
  return { server: { brokers: brokers.join(','), child: undefined }, env: {} };
}

async function ownKafka(start: ServersStart): Promise<Had<Servers['kafka']>> {
  const java = await findJava(start.env);
  const classPath = await obtainKafka(start.cache, start.processes, start.progress);
  const step = start.progress.step('Starting Kafka');
  try {
    const { broker, child } = await startKafka({
      processes: start.processes,
      java,
      classPath,
      folder: join(start.folder, 'kafka'),
      logFolder: start.logFolder,
      port: start.ports?.kafka,
    });
    step.done(broker);
    // Credentials of another broker do not fit this one.
    const none = Object.fromEntries(KAFKA_SECURITY_VARIABLES.map((name) => [name, undefined]));
    const env = { ...none, KAFKA_BROKERS: broker };
    return { server: { brokers: broker, child }, env };
  } catch (cause) {
    step.fail(start.processes.failure);
    throw cause;
  }
}

async function namedTemporal(env: NodeJS.ProcessEnv): Promise<Had<Servers['temporal']>> {
  const temporal = await connectTemporal(env);
  const { namespace } = temporal.client.options;
  await temporal.close();
  const address = env['TEMPORAL_ADDRESS'] === '' ? undefined : env['TEMPORAL_ADDRESS'];
  return {
    server: { address, namespace, uiUrl: undefined, metricsUrl: undefined, child: undefined },
    env: {},
  };
}

async function ownTemporal(start: ServersStart): Promise<Had<Servers['temporal']>> {
  const program = await obtainTemporal(start.cache, start.processes, start.progress);
  const step = start.progress.step('Starting Temporal');
  try {
    const { address, uiUrl, metricsUrl, child } = await startTemporal({
      processes: start.processes,
      program,
      database: join(start.folder, 'temporal.db'),
      logFolder: start.logFolder,
      port: start.ports?.temporal,
      uiPort: start.ports?.temporalUi,
    });
    step.done(address);
    // A profile of the user's in Temporal's usual place must not be mixed into the connection to our own server.
    const profile = join(start.folder, 'temporal.toml');
    await writeFile(
      profile,
      `[profile.default]\naddress = "${address}"\nnamespace = "${TEMPORAL_NAMESPACE}"\n`,
    );
    const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE, TEMPORAL_CONFIG_FILE: profile };
    return {
      server: { address, namespace: TEMPORAL_NAMESPACE, uiUrl, metricsUrl, child },
      env: { ...without(start.env, 'TEMPORAL_'), ...env },
    };
  } catch (cause) {
    step.fail(start.processes.failure);
    throw cause;
  }
}

/** The variables of a family, each unset. */
function without(env: NodeJS.ProcessEnv, prefix: string): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.keys(env).flatMap((name) => (name.startsWith(prefix) ? [[name, undefined]] : [])),
  );
}
