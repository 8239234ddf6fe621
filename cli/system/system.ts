import { FedloopError } from '../../core/contracts/errors';
import { type StreamSettings } from '../../core/contracts/settings';
import { LIMITS } from '../shared/limits';
import { claimFolder } from './claim-folder';
import { collectMetrics } from './collect-metrics';
import { agreeOnDeployment, type WantedDeployment } from './log-settings';
import { Processes } from '../processes/processes';
import { type RunFolder } from './run-folder';
import { endWithAny, keepRunning, type Parts, type Watch } from './parts';
import { hadPort, type RememberedRun } from './remembered-run';
import { requireAlone } from './require-alone';
import { endLeftovers, forgetRunning, lookForSystem, requireNoneRunning } from './running';
import { cacheFolder } from '../servers/cache';
import { startServers, type ServersStart } from '../servers/servers';
import { type Session } from './session';
import { unlessAborted } from '../shared/wait';
import { workerEnvironment } from './worker-environment';
import { type WorkerRole } from './worker-process';
import { Workers } from './workers';

interface SystemStart {
  readonly session: Session;
  readonly run: RunFolder;
  /** Workers of a deployment with these settings. */
  readonly roles: (settings: StreamSettings) => readonly WorkerRole[];
  readonly deployment: WantedDeployment;
  readonly ports?: ServersStart['ports'];
  /** Runs in parallel with the start of the servers. @returns further variables for the workers' environment. */
  readonly prepare: (processes: Processes) => Promise<NodeJS.ProcessEnv>;
  /** What ends by itself: is started again, or ends the system. */
  readonly ends: 'start again' | 'end the system';
  /** The run as it was, where it is gone on with. */
  readonly before?: RememberedRun | undefined;
}

/** Running servers and workers. */
export interface System extends Parts {
  /** Rejects when a process ends that was not stopped and is not started again. */
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
    await endWhatWasLeft(session);
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

/** Servers of a system whose command and supervisor were both killed would keep its files and ports. */
async function endWhatWasLeft({ folder, progress }: Session): Promise<void> {
  const known = await lookForSystem(folder);
  if (known.is !== 'ended') return;
  const left = await endLeftovers(folder, known.system);
  if (left.length > 0) progress.note(`Stopped what run ${known.system.id} had left: ${left.join(', ')}.`);
}

async function bringUp(start: SystemStart, processes: Processes): Promise<System> {
  const { session, run, before } = start;
  const { progress } = session;
  const [servers, prepared] = await Promise.all([
    startServers({
      env: session.env,
      cache: cacheFolder(session.env),
      folder: run.servers,
      logFolder: run.logs,
      processes,
      progress,
      ...(start.ports === undefined ? {} : { ports: start.ports }),
    }),
    start.prepare(processes),
  ]);
  const env = workerEnvironment(start, servers, prepared);
  // A broker of its own has nobody else; a run that is resumed may have left workers elsewhere, which go on with it.
  const sharesOnlyTheBroker = servers.kafka.own === undefined && servers.temporal.own !== undefined;
  if (sharesOnlyTheBroker && start.deployment.takesLimits !== true)
    await requireAlone(env, progress, session.signal);
  const settings = await agree(start, env);

  const ports = await portsOfWorkers(start);
  const workers = new Workers({ processes, progress, env, logFolder: run.logs, cwd: session.folder, ports });
  await workers.start(start.roles(settings));
  const port = await hadPort('Prometheus', before?.ports.prometheus, progress);
  const metrics = await collectMetrics({ session, run, processes, servers, workers, port });
  const parts: Parts = {
    run,
    settings,
    servers,
    metrics,
    workers,
    env,
    startedAt: new Date().toISOString(),
  };
  const watch = start.ends === 'start again' ? keepRunning(session, parts) : endWithAny(session, parts);
  await watch.publish();
  return {
    ...parts,
    failed: watch.failed,
    urlOf(role) {
      const worker = workers.all.find((known) => known.role === role);
      if (worker === undefined)
        throw new FedloopError('Internal', `there is no ${role} worker in this system`);
      return worker.url;
    },
    stop: () => stopAll(session, workers, watch, processes),
  };
}

async function portsOfWorkers({ before, session }: SystemStart): Promise<Readonly<Record<string, number>>> {
  const known = Object.entries(before?.ports.workers ?? {});
  const had = await Promise.all(
    known.map(
      async ([role, port]) => [role, await hadPort(`the ${role} worker`, port, session.progress)] as const,
    ),
  );
  return Object.fromEntries(had.flatMap(([role, port]) => (port === undefined ? [] : [[role, port]])));
}

async function stopAll(
  { folder, signal }: Session,
  workers: Workers,
  watch: Watch,
  processes: Processes,
): Promise<void> {
  watch.expectEnds();
  await forgetRunning(folder, process.pid);
  const grace = signal.aborted ? LIMITS.interruptedGraceMillis : LIMITS.workerGraceMillis;
  await Promise.all(workers.all.map(({ child }) => child.stop(grace)));
  await processes.stopAll(signal.aborted ? LIMITS.interruptedGraceMillis : LIMITS.serverGraceMillis);
  // A process that was just being started again may have been published in between.
  await forgetRunning(folder, process.pid);
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
