import { mkdtemp, rmdir, stat, statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { environmentIn } from '../system/deployment';
import { findRunning } from '../system/running';
import { cacheFolder } from '../servers/cache';
import { findJava } from '../servers/java';
import { damageOfKafka, obtainKafka, placeOfKafka } from '../servers/obtain-kafka';
import { cachedTemporal, damageOfTemporal, obtainTemporal } from '../servers/obtain-temporal';
import { Processes } from '../processes/processes';
import { type Progress } from '../progress';
import { namedBrokers } from '../servers/own-environment';
import { freePorts } from '../servers/ports';
import { requireBroker } from '../servers/start-kafka';
import { connectTemporal, namesTemporal, withTemporal } from '../servers/temporal-client';
import { onPath, versionOf } from '../servers/tool';
import { requireBuilt } from '../system/worker-process';
import { type Session } from '../system/session';
import { missingWorker } from '../temporal/missing-worker';

/** `hint`: Fedloop works without it, or with less comfort. */
export interface Finding {
  readonly state: 'fine' | 'hint' | 'missing';
  readonly name: string;
  readonly text: string;
  readonly advice?: string;
}

const MIN_NODE = [20, 3] as const;
/** Kafka and Temporal's server in the cache (0.3 GB), a build of the latter (2 GB), and a run. */
const DISK_BYTES = 4e9;
/** Kafka (2), Temporal (4), Prometheus and five workers. */
const PORTS = 12;
/** All Node processes (2 GB), Kafka (0.7 GB) and Temporal. */
const MEMORY_BYTES = 3e9;

/** Check everything that a demo needs. Starts no server, and leaves no files but those of a damaged cache, which it mends. */
export async function examine(session: Session): Promise<readonly Finding[]> {
  const cache = cacheFolder(session.env);
  return [
    node(),
    await built(),
    ...(await kafka(session, cache)),
    ...(await temporal(session, cache)),
    await prometheus(session),
    await ports(),
    await runningHere(session),
    await writable(session.folder),
    await disk(session.folder),
    memory(),
  ];
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const recent = major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1]);
  const text = process.versions.node;
  return recent ? fine('Node', text) : missing('Node', text, `Install Node ${MIN_NODE.join('.')} or later.`);
}

async function built(): Promise<Finding> {
  try {
    await requireBuilt();
    return fine('build', 'workers and workflows are built');
  } catch (cause) {
    return failed('build', cause);
  }
}

async function kafka(session: Session, cache: string): Promise<readonly Finding[]> {
  try {
    const named = namedBrokers(session.env);
    if (named !== undefined) {
      await requireBroker(named, session.env);
      return [fine('Kafka', `answers at ${named.join(', ')}`)];
    }
  } catch (cause) {
    return [failed('Kafka', cause)];
  }
  const java = await findJava(session.env).then(
    async (path) => fine('Java', `${path}${await versionText(path, '-version')}`),
    (cause: unknown) => failed('Java', cause),
  );
  const damage = await damageOfKafka(cache);
  if (damage !== undefined) return [java, await mend('Kafka', damage, session, cache, obtainKafka)];
  const { folder } = await placeOfKafka(cache);
  if ((await existing(folder)) !== undefined) return [java, fine('Kafka', folder)];
  const maven = await onPath('mvn', session.env);
  if (maven !== undefined)
    return [java, fine('Maven', `${maven}${await versionText(maven)}; Kafka is fetched on first use`)];
  return [
    java,
    missing('Maven', 'not found', 'Install Maven (Debian: `apt-get install maven`), or set KAFKA_BROKERS.'),
  ];
}

async function temporal(session: Session, cache: string): Promise<readonly Finding[]> {
  if (namesTemporal(session.env)) {
    try {
      const connection = await connectTemporal(session.env);
      await connection.close();
      return [fine('Temporal', 'answers as the environment says')];
    } catch (cause) {
      return [failed('Temporal', cause)];
    }
  }
  const installed = await onPath('temporal', session.env);
  const damage = installed === undefined ? await damageOfTemporal(cache) : undefined;
  if (damage !== undefined) return [await mend('Temporal', damage, session, cache, obtainTemporal)];
  const there = installed ?? (await existing(cachedTemporal(cache)));
  if (there !== undefined) return [fine('Temporal', `${there}${await versionText(there)}`)];
  const go = await onPath('go', session.env);
  return [
    go === undefined
      ? {
          state: 'hint',
          name: 'Temporal',
          text: 'is downloaded on first use',
          advice: 'Without a way to download it: install `temporal` or Go, or set TEMPORAL_ADDRESS.',
        }
      : fine(
          'Temporal',
          `is downloaded, or built with ${go}${await versionText(go, 'version')}, on first use`,
        ),
  ];
}

/** Obtain a damaged server again. */
async function mend(
  name: string,
  damage: string,
  { progress }: Session,
  cache: string,
  obtain: (cache: string, processes: Processes, progress: Progress) => Promise<string>,
): Promise<Finding> {
  const processes = Processes.start();
  try {
    await obtain(cache, processes, progress);
    return fine(name, `${damage}: it was obtained again`);
  } catch (cause) {
    const { advice = 'Delete it; it is obtained again on the next use.' } = failed(name, cause);
    return missing(name, `${damage}, and could not be obtained again: ${messageOf(cause)}`, advice);
  } finally {
    await processes.stopAll(0);
  }
}

async function prometheus(session: Session): Promise<Finding> {
  const program = await onPath('prometheus', session.env);
  if (program !== undefined) return fine('Prometheus', `${program}${await versionText(program)}`);
  return {
    state: 'hint',
    name: 'Prometheus',
    text: 'not found: metrics are served, but not collected',
    advice: 'Debian: `apt-get install prometheus`.',
  };
}

/** Servers and workers listen on loopback, each on a port of its own. */
async function ports(): Promise<Finding> {
  try {
    await freePorts(PORTS);
    return fine('ports', `${PORTS} free ones on loopback`);
  } catch (cause) {
    return missing(
      'ports',
      `nothing can listen on loopback: ${messageOf(cause)}`,
      'Allow programs to listen on 127.0.0.1.',
    );
  }
}

/** Whether the system that runs in this folder answers. */
async function runningHere(session: Session): Promise<Finding> {
  const running = await findRunning(session.folder);
  if (running === undefined) return fine('system', 'none runs in this folder');
  const states = await Promise.all(
    running.workers.map(async ({ role, url }) => {
      const response = await fetch(`${url}/healthz`, {
        signal: AbortSignal.timeout(LIMITS.externalConnectMillis),
      }).catch(() => undefined);
      return { role, healthy: response?.ok === true };
    }),
  );
  const env = await environmentIn(session, running);
  const servers = await Promise.all([
    answered('Kafka', () => requireBroker(running.kafka.brokers.split(','), env)),
    answered('Temporal', async () => (await connectTemporal(env)).close()),
  ]);
  const silent = [...servers, ...states].filter(({ healthy }) => !healthy).map(({ role }) => role);
  if (silent.length === 0) {
    const stands = await withTemporal(env, (client, names) =>
      missingWorker(client, names, names.roundId),
    ).catch(() => undefined);
    if (stands === undefined)
      return fine('system', `run ${running.id}: Kafka, Temporal and every worker answer`);
    const text = `run ${running.id}: every worker answers, but no round can run`;
    return missing('system', text, `${stands.charAt(0).toUpperCase()}${stands.slice(1)}.`);
  }
  return missing(
    'system',
    `run ${running.id}: no answer from ${silent.join(', ')}`,
    `Look into ${running.runFolder}/logs; \`fedloop down\` and \`fedloop up --resume ${running.id}\` start it again.`,
  );
}

async function answered(
  role: string,
  request: () => Promise<unknown>,
): Promise<{ readonly role: string; readonly healthy: boolean }> {
  return request().then(
    () => ({ role, healthy: true }),
    () => ({ role, healthy: false }),
  );
}

/** Writes a folder, because permissions do not show that a file system is read-only or full. */
async function writable(folder: string): Promise<Finding> {
  try {
    await rmdir(await mkdtemp(join(folder, '.fedloop-doctor-')));
    return fine('folder', `${folder} can be written to`);
  } catch (cause) {
    return missing(
      'folder',
      `nothing can be written to ${folder}: ${messageOf(cause)}`,
      'Work in a folder of your own: runs and servers are kept in it.',
    );
  }
}

async function disk(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const text = `${gigabytes(free)} free in ${folder}`;
  return free >= DISK_BYTES
    ? fine('disk', text)
    : {
        state: 'hint',
        name: 'disk',
        text,
        advice: `Obtaining the servers takes up to ${gigabytes(DISK_BYTES)}.`,
      };
}

function memory(): Finding {
  const free = freemem();
  const text = `${gigabytes(free)} free`;
  return free >= MEMORY_BYTES
    ? fine('memory', text)
    : {
        state: 'hint',
        name: 'memory',
        text,
        advice: `A demo takes about ${gigabytes(MEMORY_BYTES)}; give it fewer --devices.`,
      };
}

/** `, version 2.42.0`, or an empty text for a program that prints no version. */
async function versionText(program: string, flag?: string): Promise<string> {
  const version = await versionOf(program, flag);
  return version === undefined ? '' : `, version ${version}`;
}

async function existing(path: string): Promise<string | undefined> {
  return stat(path).then(
    () => path,
    () => undefined,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function fine(name: string, text: string): Finding {
  return { state: 'fine', name, text };
}

function missing(name: string, text: string, advice: string): Finding {
  return { state: 'missing', name, text, advice };
}

function failed(name: string, cause: unknown): Finding {
  const advice = cause instanceof FedloopError ? cause.hint : undefined;
  return { state: 'missing', name, text: messageOf(cause), ...(advice === undefined ? {} : { advice }) };
}
