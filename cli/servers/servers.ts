import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Child } from '../processes/child';
import { type Processes } from '../processes/processes';
import { type Progress } from '../progress';
import { findJava } from './java';
import { obtainKafka } from './obtain-kafka';
import { obtainTemporal } from './obtain-temporal';
import { namedBrokers, ownServersBy, withoutOthers } from './own-environment';
import { requireFree, splitAddress } from './ports';
import { requireBroker, startKafka } from './start-kafka';
import { startTemporal, TEMPORAL_NAMESPACE } from './start-temporal';
import { connectTemporal } from './temporal-client';

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
    readonly temporalMetrics?: number | undefined;
  };
}

/** A server of our own. */
export interface StartedServer {
  readonly child: Child;
  /** Start it once more, where it was and with its data, after it has ended. @throws FedloopError `ServerUnavailable` */
  readonly again: () => Promise<Child>;
}

/** Running servers and their addresses. */
export interface Servers {
  readonly kafka: { readonly brokers: string; readonly own: StartedServer | undefined };
  readonly temporal: {
    /** TEMPORAL_ADDRESS; undefined when a profile names the server. */
    readonly address: string | undefined;
    readonly namespace: string;
    readonly uiUrl: string | undefined;
    readonly metricsUrl: string | undefined;
    readonly own: StartedServer | undefined;
  };
  /** Environment for processes that use them. */
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Find or start Kafka and Temporal: those that the environment names, else new ones. Both answer when this resolves.
 * @throws FedloopError `ServerUnavailable`, `KafkaUnavailable`, `PortInUse`, `InvalidConfig`
 */
export async function startServers(start: ServersStart): Promise<Servers> {
  const own = ownServersBy(start.env);
  const { env } = withoutOthers(start.env, own);
  const named = namedBrokers(start.env);
  if (start.ports?.kafka !== undefined) await requireFree(start.ports.kafka, '--kafka-port');
  if (start.ports?.temporal !== undefined) await requireFree(start.ports.temporal, '--temporal-port');
  if (start.ports?.temporalUi !== undefined) await requireFree(start.ports.temporalUi, '--ui-port');
  await mkdir(start.folder, { recursive: true });
  await mkdir(start.logFolder, { recursive: true });
  const [kafka, temporal] = await Promise.all([
    named === undefined ? ownKafka(start) : namedKafka(named, env),
    own.temporal ? ownTemporal(start) : namedTemporal(env),
  ]);
  return {
    kafka: kafka.server,
    temporal: temporal.server,
    env: { ...env, ...kafka.env, ...temporal.env },
  };
}

interface Had<Server> {
  readonly server: Server;
  readonly env: NodeJS.ProcessEnv;
}

async function namedKafka(
  brokers: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Had<Servers['kafka']>> {
  await requireBroker(brokers, env);
  return { server: { brokers: brokers.join(','), own: undefined }, env: {} };
}

async function ownKafka(start: ServersStart): Promise<Had<Servers['kafka']>> {
  const java = await findJava(start.env);
  const classPath = await obtainKafka(start.cache, start.processes, start.progress);
  const step = start.progress.step('Starting Kafka');
  try {
    const place = {
      processes: start.processes,
      java,
      classPath,
      folder: join(start.folder, 'kafka'),
      logFolder: start.logFolder,
    };
    const { broker, child } = await startKafka({ ...place, port: start.ports?.kafka });
    step.done(broker);
    const again = async (): Promise<Child> =>
      (await startKafka({ ...place, port: splitAddress(broker).port })).child;
    return { server: { brokers: broker, own: { child, again } }, env: { KAFKA_BROKERS: broker } };
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
    server: { address, namespace, uiUrl: undefined, metricsUrl: undefined, own: undefined },
    env: {},
  };
}

async function ownTemporal(start: ServersStart): Promise<Had<Servers['temporal']>> {
  const program = await obtainTemporal(start.cache, start.processes, start.progress);
  const step = start.progress.step('Starting Temporal');
  try {
    const place = {
      processes: start.processes,
      program,
      database: join(start.folder, 'temporal.db'),
      logFolder: start.logFolder,
    };
    const { address, uiUrl, metricsUrl, child } = await startTemporal({
      ...place,
      port: start.ports?.temporal,
      uiPort: start.ports?.temporalUi,
      metricsPort: start.ports?.temporalMetrics,
    });
    step.done(address);
    const ports = {
      port: splitAddress(address).port,
      uiPort: Number(new URL(uiUrl).port),
      metricsPort: Number(new URL(metricsUrl).port),
    };
    const again = async (): Promise<Child> => (await startTemporal({ ...place, ...ports })).child;
    // A profile of the user's in Temporal's usual place must not be mixed into the connection to our own server.
    const profile = join(start.folder, 'temporal.toml');
    await writeFile(
      profile,
      `[profile.default]\naddress = "${address}"\nnamespace = "${TEMPORAL_NAMESPACE}"\n`,
    );
    const env = { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE, TEMPORAL_CONFIG_FILE: profile };
    return {
      server: { address, namespace: TEMPORAL_NAMESPACE, uiUrl, metricsUrl, own: { child, again } },
      env,
    };
  } catch (cause) {
    step.fail(start.processes.failure);
    throw cause;
  }
}
