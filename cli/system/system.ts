import { join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { topicPrefixOf } from '../../core/contracts/config';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { type StreamSettings } from '../../core/contracts/settings';
import { eventTopic } from '../../core/contracts/source';
import { readEnvironment } from '../../core/platform/config';
import { LIMITS } from '../shared/limits';
import { claimFolder } from './claim-folder';
import { agreeOnDeployment, type WantedDeployment } from './log-settings';
import { packageRoot } from '../shared/package-root';
import { type Child } from '../processes/child';
import { Processes } from '../processes/processes';
import { type RunFolder } from './run-folder';
import { requireAlone } from './require-alone';
import { forgetRunning, requireNoneRunning, writeRunning, type RunningSystem } from './running';
import { cacheFolder } from '../servers/cache';
import { startServers, type Servers, type ServersStart } from '../servers/servers';
import { startPrometheus, type PrometheusServer } from '../servers/start-prometheus';
import { onPath } from '../servers/tool';
import { type Session } from './session';
import { unlessAborted } from '../shared/wait';
import { startWorker, workerFailure, type WorkerProcess, type WorkerRole } from './worker-process';

interface SystemStart {
  readonly session: Session;
  readonly run: RunFolder;
  /** Workers of a deployment with these settings. */
  readonly roles: (settings: StreamSettings) => readonly WorkerRole[];
  readonly deployment: WantedDeployment;
  readonly ports?: ServersStart['ports'];
  /** Runs in parallel with the start of the servers. @returns further variables for the workers' environment. */
  readonly prepare: (processes: Processes) => Promise<NodeJS.ProcessEnv>;
}

/** Running servers and workers. */
export interface System {
  readonly run: RunFolder;
  /** What its processes share. */
  readonly settings: StreamSettings;
  readonly servers: Servers;
  readonly prometheus: PrometheusServer | undefined;
  readonly workers: readonly WorkerProcess[];
  /** The environment that the workers have. */
  readonly env: NodeJS.ProcessEnv;
  /** Rejects when a process ends that was not stopped. */
  readonly failed: Promise<never>;
  /** URL of a worker's own routes. @throws FedloopError `Internal` for a role that was not started. */
  urlOf(role: WorkerRole): string;
  /** Stops the workers first, so that they can close their connections. */
  stop(): Promise<void>;
}

/**
 * Bring a whole system up: servers, topics, workers, metrics. A failure on the way stops everything again.
 * @throws FedloopError as its parts do, and `Interrupted` when the session's signal comes first.
 */
export async function startSystem(start: SystemStart): Promise<System> {
  const { session } = start;
  await requireNoneRunning(session.folder);
  const release = await claimFolder(session.folder, start.run.id);
  const processes = Processes.start();
  try {
    const system = await unlessAborted(bringUp(start, processes), session.signal);
    return {
      ...system,
      async stop() {
        await system.stop();
        await release();
      },
    };
  } catch (cause) {
    await processes.stopAll(LIMITS.interruptedGraceMillis);
    await release();
    throw cause;
  }
}

async function bringUp(start: SystemStart, processes: Processes): Promise<System> {
  const { session, run } = start;
  const [servers, prepared] = await Promise.all([
    startServers({
      env: session.env,
      cache: cacheFolder(session.env),
      folder: run.servers,
      logFolder: run.logs,
      processes,
      progress: session.progress,
      ...(start.ports === undefined ? {} : { ports: start.ports }),
    }),
    start.prepare(processes),
  ]);
  const env = workerEnvironment(start, servers, prepared);
  // A broker of its own has nobody else; a run that is resumed may have left workers elsewhere, which go on with it.
  const sharesOnlyTheBroker = servers.kafka.child === undefined && servers.temporal.child !== undefined;
  if (sharesOnlyTheBroker && start.deployment.takesLimits !== true)
    await requireAlone(env, session.progress, session.signal);
  const settings = await agree(start, env);

  const workers = await startWorkers(start, processes, env, start.roles(settings));
  const prometheus = await maybePrometheus(start, processes, servers, workers);

  let stopping = false;
  const children = [servers.kafka, servers.temporal, prometheus, ...workers].map((one) => one?.child);
  const failed = firstUnexpectedEnd(
    children.filter((child) => child !== undefined),
    () => stopping,
  );
  const parts = { run, settings, servers, prometheus, workers, env };
  await writeRunning(session.folder, describeRunning(parts));
  return {
    ...parts,
    failed,
    urlOf(role) {
      const worker = workers.find((known) => known.role === role);
      if (worker === undefined)
        throw new FedloopError('Internal', `there is no ${role} worker in this system`);
      return worker.url;
    },
    async stop() {
      stopping = true;
      const grace = session.signal.aborted ? LIMITS.interruptedGraceMillis : LIMITS.workerGraceMillis;
      await forgetRunning(session.folder, process.pid);
      await Promise.all(workers.map(({ child }) => child.stop(grace)));
      await processes.stopAll(
        session.signal.aborted ? LIMITS.interruptedGraceMillis : LIMITS.serverGraceMillis,
      );
    },
  };
}

/** Have the settings logged, and show a measurement while it goes on. */
async function agree({ session, deployment }: SystemStart, env: NodeJS.ProcessEnv): Promise<StreamSettings> {
  if (!deployment.plan.measuresTolerance) return agreeOnDeployment(env, deployment);
  const step = session.progress.step('Finding the tolerance');
  try {
    const agreed = await agreeOnDeployment(env, deployment, ({ messages, of }) => {
      step.update(`${messages.toLocaleString('en')} of ${of.toLocaleString('en')} messages`, messages / of);
    });
    const { tolerance, unit } = agreed.task.target;
    step.done(`${tolerance} ${unit}`.trim());
    return agreed;
  } catch (cause) {
    step.fail();
    throw cause;
  }
}

function describeRunning({
  run,
  settings,
  servers: { kafka, temporal },
  prometheus,
  workers,
  env,
}: Omit<System, 'failed' | 'urlOf' | 'stop'>): RunningSystem {
  return {
    id: run.id,
    pid: process.pid,
    startedAt: new Date().toISOString(),
    runFolder: run.path,
    fleet: readEnvironment(env).FEDLOOP_FLEET,
    kafka: {
      brokers: kafka.brokers,
      topicPrefix: topicPrefixOf(readEnvironment(env)),
      eventTopic: eventTopic(settings.source),
      pid: kafka.child?.pid ?? null,
    },
    temporal: {
      address: temporal.address ?? null,
      namespace: temporal.namespace,
      uiUrl: temporal.uiUrl ?? null,
      configFile: env['TEMPORAL_CONFIG_FILE'] ?? null,
      pid: temporal.child?.pid ?? null,
    },
    prometheusUrl: prometheus?.url ?? null,
    workers: workers.map(({ role, url, child }) => ({ role, url, pid: child.pid, log: child.logFile })),
  };
}

/**
 * Start the workers, the fleet first: by the time it is ready it has written the history of its devices, which sites and stream
 * workers read when they start.
 */
async function startWorkers(
  start: SystemStart,
  processes: Processes,
  env: NodeJS.ProcessEnv,
  roles: readonly WorkerRole[],
): Promise<readonly WorkerProcess[]> {
  const { session, run } = start;
  const waves: readonly (readonly WorkerRole[])[] = [
    roles.filter((role) => role === 'fleet'),
    roles.filter((role) => role !== 'fleet'),
  ];
  const workers: WorkerProcess[] = [];
  for (const wave of waves.filter(({ length }) => length > 0)) {
    const step = session.progress.step(
      wave.length === 1 ? `Starting the worker: ${wave.join()}` : `Starting the workers: ${wave.join(', ')}`,
    );
    try {
      const options = { env, logFolder: run.logs, cwd: session.folder };
      workers.push(...(await Promise.all(wave.map((role) => startWorker(processes, role, options)))));
    } catch (cause) {
      step.fail(processes.failure);
      throw cause;
    }
    step.done();
  }
  return workers;
}

/** Environment of the workers; each run has its own files. */
function workerEnvironment(
  start: SystemStart,
  servers: Servers,
  prepared: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const { session, run, deployment } = start;
  const { fleet } = deployment.plan;
  const named = readEnvironment({ ...servers.env, FEDLOOP_FLEET: fleet });
  const isShared = servers.kafka.child === undefined;
  return {
    ...servers.env,
    FEDLOOP_FLEET: fleet,
    // What the file says is logged; workers obey that.
    FEDLOOP_CONFIG: '',
    FEDLOOP_TOPIC_PREFIX:
      named.FEDLOOP_TOPIC_PREFIX ?? (isShared && isOneRun(deployment) ? `${run.id}.` : topicPrefixOf(named)),
    FEDLOOP_WAREHOUSE: run.warehouse,
    FEDLOOP_PROCESSED: run.processed,
    FEDLOOP_MODELS: join(run.models, 'global'),
    // Five processes on one machine cannot share one port.
    FEDLOOP_HTTP_PORT: '0',
    FEDLOOP_LOG_LEVEL: session.env['FEDLOOP_LOG_LEVEL'] ?? 'info',
    // glibc keeps a memory pool per thread; DuckDB, onnxruntime and Temporal's core have many. Two pools save 150 MB.
    MALLOC_ARENA_MAX: session.env['MALLOC_ARENA_MAX'] ?? '2',
    ...prepared,
  };
}

/** A fleet without a name or file of its own lives for one run: on a shared broker the run's name keeps its topics apart. */
function isOneRun({ plan, fromFile }: WantedDeployment): boolean {
  return plan.fleet === DEFAULT_FLEET && fromFile !== true;
}

async function maybePrometheus(
  start: SystemStart,
  processes: Processes,
  servers: Servers,
  workers: readonly WorkerProcess[],
): Promise<PrometheusServer | undefined> {
  const { session, run } = start;
  const program = await onPath('prometheus', session.env);
  if (program === undefined) {
    session.progress.note(
      'Prometheus is not installed: the workers serve metrics, but nothing collects them.',
    );
    return undefined;
  }
  const temporal = servers.temporal.metricsUrl;
  const step = session.progress.step('Starting Prometheus');
  const server = await startPrometheus({
    processes,
    program,
    folder: join(run.servers, 'prometheus'),
    logFolder: run.logs,
    rules: join(packageRoot(), 'dashboards', 'rules.yml'),
    targets: [
      ...workers.flatMap(({ role, url }) => [
        { job: 'fedloop', instance: role, url: `${url}/metrics` },
        { job: 'temporal-sdk', instance: role, url: `${url}/metrics/temporal` },
      ]),
      ...(temporal === undefined ? [] : [{ job: 'temporal', instance: 'temporal', url: temporal }]),
    ],
  });
  step.done(server.url);
  return server;
}

function firstUnexpectedEnd(children: readonly Child[], expected: () => boolean): Promise<never> {
  const failed = new Promise<never>((_, reject) => {
    for (const child of children) {
      void child.ended.then(async ({ code, signal }) => {
        if (expected()) return;
        reject(
          await workerFailure(child, `ended unexpectedly (${signal ?? `exit code ${code ?? 'unknown'}`})`),
        );
      });
    }
  });
  // Not awaiting it is allowed.
  failed.catch(() => undefined);
  return failed;
}
