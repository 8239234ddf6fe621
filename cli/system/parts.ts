import { topicPrefixOf } from '../../core/contracts/config';
import { messageOf } from '../../core/contracts/errors';
import { type StreamSettings } from '../../core/contracts/settings';
import { eventTopic } from '../../core/contracts/source';
import { readEnvironment } from '../../core/platform/config';
import { inTurn } from '../../core/platform/in-turn';
import { FLEET_VARIABLE } from '../../fleet/settings';
import { type Child } from '../processes/child';
import { startOf } from '../processes/identity';
import { LIMITS } from '../shared/limits';
import { splitAddress } from '../servers/ports';
import { type Servers } from '../servers/servers';
import { type MetricsCollection } from './collect-metrics';
import { deploymentFileOf } from './deployment-file';
import { Keeper } from './keeper';
import { remember, type RememberedRun } from './remembered-run';
import { type RunFolder } from './run-folder';
import { writeRunning, type RunningSystem, type SystemProcess } from './running';
import { type Session } from './session';
import { unexpectedEnd } from './worker-process';
import { type Workers } from './workers';

/** What a system that is up consists of. */
export interface Parts {
  readonly run: RunFolder;
  /** What its processes share. */
  readonly settings: StreamSettings;
  readonly servers: Servers;
  readonly metrics: MetricsCollection | undefined;
  readonly workers: Workers;
  /** The environment that the workers have. */
  readonly env: NodeJS.ProcessEnv;
  readonly startedAt: string;
}

/** What happens when a process ends that nobody has stopped. */
export interface Watch {
  /** Rejects when the system cannot go on; never resolves. */
  readonly failed: Promise<never>;
  /** Tell where everything is. */
  publish(): Promise<void>;
  /** What ends from now on was stopped. */
  expectEnds(): void;
}

/** Start again whatever ends, and publish where it is then. */
export function keepRunning(session: Session, parts: Parts): Watch {
  const { servers, metrics, workers } = parts;
  const published = inTurn();
  let isOver = false;
  const write = async (): Promise<void> => {
    if (isOver) return;
    const isWritten = await published(() => publish(session, parts, keeper.processes));
    if (!isWritten) setTimeout(() => void write(), LIMITS.stateAgainMillis).unref();
  };
  const keeper: Keeper = new Keeper({
    note: (line) => {
      session.progress.note(`${new Date().toISOString()} ${line}`);
    },
    onChange: write,
  });
  const { kafka, temporal } = servers;
  if (kafka.own !== undefined) keeper.keep('Kafka', kafka.own.child, kafka.own.again);
  if (temporal.own !== undefined) keeper.keep('Temporal', temporal.own.child, temporal.own.again);
  for (const { role, child } of workers.all)
    keeper.keep(role, child, async () => (await workers.again(role)).child);
  const collector = metrics?.server?.child ?? metrics?.trouble;
  if (metrics !== undefined && collector !== undefined)
    keeper.keep('Prometheus', collector, async () => (await metrics.again()).child);
  return {
    failed: never(),
    publish: write,
    expectEnds: () => {
      isOver = true;
      keeper.stop();
    },
  };
}

/** For a command that measures: its result would not be what was asked for. */
export function endWithAny(session: Session, parts: Parts): Watch {
  const { servers, metrics, workers } = parts;
  const { kafka, temporal } = servers;
  const children = [
    ['Kafka', kafka.own?.child] as const,
    ['Temporal', temporal.own?.child] as const,
    ...workers.all.map(({ role, child }) => [role, child] as const),
    ['Prometheus', metrics?.server?.child] as const,
  ].flatMap(([name, child]) => (child === undefined ? [] : [{ name, child }]));
  let areExpected = false;
  const processes = children.map(({ name, child }) => ({ name, ...child.id, restarts: 0, trouble: null }));
  return {
    async publish() {
      await publish(session, parts, processes);
    },
    failed: firstUnexpectedEnd(
      children.map(({ child }) => child),
      () => areExpected,
    ),
    expectEnds: () => {
      areExpected = true;
    },
  };
}

/**
 * Tell the folder's other commands, and Prometheus, where everything is; keep with the run what `--resume` needs.
 * @returns whether that could be written.
 */
async function publish(
  session: Session,
  parts: Parts,
  processes: readonly SystemProcess[],
): Promise<boolean> {
  try {
    await writeRunning(session.folder, describeRunning(parts, processes));
    await parts.metrics?.followWorkers();
    await remember(parts.run, whatRan(session, parts));
    unwritten.delete(parts.run);
    return true;
  } catch (cause) {
    // A full disk must not end what runs. It is said once.
    if (!unwritten.has(parts.run))
      session.progress.note(
        `The system's state cannot be written now: ${messageOf(cause)}. It is tried again.`,
      );
    unwritten.add(parts.run);
    return false;
  }
}

/** Runs whose state could not be written when that was tried last. */
const unwritten = new WeakSet<RunFolder>();

function describeRunning(parts: Parts, processes: readonly SystemProcess[]): RunningSystem {
  const { run, settings, metrics, workers, env, startedAt } = parts;
  const { kafka, temporal } = parts.servers;
  return {
    id: run.id,
    pid: process.pid,
    started: startOf(process.pid),
    startedAt,
    runFolder: run.path,
    fleet: readEnvironment(env).FEDLOOP_FLEET,
    kafka: {
      brokers: kafka.brokers,
      topicPrefix: topicPrefixOf(readEnvironment(env)),
      eventTopic: eventTopic(settings.source),
    },
    temporal: {
      address: temporal.address ?? null,
      namespace: temporal.namespace,
      uiUrl: temporal.uiUrl ?? null,
      configFile: env['TEMPORAL_CONFIG_FILE'] ?? null,
    },
    prometheusUrl: metrics?.server?.url ?? null,
    workers: workers.all.map(({ role, url, child }) => ({ role, url, log: child.logFile })),
    processes: [...processes],
  };
}

function whatRan(session: Session, { servers, metrics, workers, env }: Parts): RememberedRun {
  const { kafka, temporal } = servers;
  const isOurs = temporal.own !== undefined;
  return {
    fleet: readEnvironment(env).FEDLOOP_FLEET,
    config: deploymentFileOf(session) ?? null,
    simulation: env[FLEET_VARIABLE] ?? null,
    ports: {
      kafka: kafka.own === undefined ? null : splitAddress(kafka.brokers).port,
      temporal: isOurs && temporal.address !== undefined ? splitAddress(temporal.address).port : null,
      temporalUi: portOf(temporal.uiUrl),
      temporalMetrics: portOf(temporal.metricsUrl),
      prometheus: portOf(metrics?.server?.url),
      workers: Object.fromEntries(
        workers.all.flatMap(({ role, url }) => {
          const port = portOf(url);
          return port === null ? [] : [[role, port]];
        }),
      ),
    },
  };
}

function portOf(url: string | undefined): number | null {
  return url === undefined ? null : Number(new URL(url).port);
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function firstUnexpectedEnd(children: readonly Child[], expected: () => boolean): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    for (const child of children) {
      void child.ended.then(async () => {
        if (!expected()) reject(await unexpectedEnd(child));
      });
    }
  });
  // Not awaiting it is allowed.
  failed.catch(() => undefined);
  return failed;
}
