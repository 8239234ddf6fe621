import { type Environment } from '../core/contracts/config';
import { FedloopError } from '../core/contracts/errors';
import { followDeployments, type Deployments } from '../core/model/deployments';
import { readEnvironment } from '../core/platform/config';
import { deployedBy } from '../core/platform/deployment-file';
import { connectKafka, type Kafka } from '../core/platform/kafka';
import { matchSourcePartitions } from '../core/platform/kafka/source-partitions';
import { createLogger, type Logger } from '../core/platform/log';
import { serveHttp, type RouteHandler } from '../core/platform/http';
import { createMetrics, Gauge, type Registry } from '../core/platform/metrics';
import { joinDeployment } from './join-deployment';
import { reserveSdkMetrics, SDK_METRICS_PATH, sdkMetricsRoute } from './sdk-metrics';
import { type WorkerRole } from './roles';
import { NO_TRACING, type Tracing, workerTracing } from './tracing';

/** What every role is given: its surroundings, connected and checked. */
export interface RoleContext {
  readonly role: string;
  readonly env: Environment;
  readonly log: Logger;
  readonly kafka: Kafka;
  readonly deployments: Deployments;
  readonly registry: Registry;
  readonly tracing: Tracing;
}

export interface RunningRole {
  /** Drain and stop; called once. */
  stop(): Promise<void>;
  /** Rejects when the role cannot continue; never resolves. */
  readonly failed: Promise<never>;
  readonly routes?: Readonly<Record<string, RouteHandler>>;
  /** What the role waits for outside of itself, said in `/healthz`; undefined while all is well. */
  readonly health?: () => string | undefined;
}

export type Role = (context: RoleContext) => Promise<RunningRole>;

/** Longest that a worker may take to drain before it is ended: a chunk of training and a sink's transaction fit well within. */
const STOP_TIMEOUT_MS = 20_000;

/** The one kind of worker that logs the settings of a new fleet: with more kinds, two could log what they measured at the same time. */
const LOGS_SETTINGS = 'rounds';

/** Kinds of workers in which there is nothing to trace. */
const WITHOUT_ACTIVITIES: readonly string[] = ['ingest', 'fleet'] satisfies readonly WorkerRole[];

/**
 * Run a role as this process: connect, start, report it on stdout, and stop cleanly on SIGINT or SIGTERM.
 * @returns the exit code.
 */
export async function runRole(name: string, role: Role): Promise<number> {
  const deployed = await deployedBy(process.env);
  const env = readEnvironment(deployed.env);
  const log = createLogger(`fedloop-${name}`, env.FEDLOOP_LOG_LEVEL);
  const stopRequested = stopSignal();
  const tracing = WITHOUT_ACTIVITIES.includes(name) ? NO_TRACING : await workerTracing(name, log);
  const kafka = await connectKafka(env, `fedloop-${name}`, log);
  await joinDeployment({ kafka, env, log }, deployed.plan, name === LOGS_SETTINGS ? 'log' : 'wait');
  const deployments = await followDeployments(kafka, log);
  await matchSourcePartitions(kafka, deployments.eventTopic);
  const registry = createMetrics(name);
  countRefusedDeployments(registry, deployments);
  await reserveSdkMetrics();
  const running = await role({ role: name, env, log, kafka, deployments, registry, tracing });
  const http = await serveHttp({
    host: env.FEDLOOP_HTTP_HOST,
    port: env.FEDLOOP_HTTP_PORT,
    names: env.FEDLOOP_HTTP_NAMES,
    registry,
    health: () => {
      const trouble = kafka.trouble();
      return trouble === undefined ? running.health?.() : `${trouble.message}. ${trouble.hint}`;
    },
    routes: { ...running.routes, [SDK_METRICS_PATH]: sdkMetricsRoute },
  });
  // The one line on stdout is for the process that started this one; logs go to stderr.
  process.stdout.write(`${JSON.stringify({ ready: true, role: name, url: http.url })}\n`);
  log.info({ url: http.url }, 'ready');

  const failure = await Promise.race([
    stopRequested.then(() => undefined),
    Promise.race([running.failed, kafka.failed]).catch((cause: unknown) => cause),
  ]);
  if (failure !== undefined) log.fatal({ err: failure }, 'the worker cannot continue');
  const timer = setTimeout(() => {
    log.error('the worker did not stop in time and is ended');
    process.exit(1);
  }, STOP_TIMEOUT_MS);
  await running.stop();
  await tracing.stop();
  await http.close();
  await deployments.close();
  await kafka.disconnect();
  clearTimeout(timer);
  return failure === undefined ? 0 : failure instanceof FedloopError ? failure.exitCode : 1;
}

function countRefusedDeployments(registry: Registry, deployments: Deployments): void {
  const refused = new Gauge({
    name: 'fedloop_deployment_messages_refused',
    help: 'Messages of model-deployments that this process has passed over since its start: not signed, damaged, or of another task.',
    registers: [registry],
    collect: () => {
      refused.set(deployments.refused);
    },
  });
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        resolve();
      });
    }
  });
}
