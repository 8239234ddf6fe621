import { availableParallelism } from 'node:os';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { FedloopError } from '../core/contracts/errors';
import { type Environment } from '../core/contracts/config';
import { type Logger } from '../core/platform/log';
import { payloadCodec } from './payload-codec';
import { type RunningRole } from './role';
import { sdkTelemetry } from './sdk-metrics';
import { reasonOf, temporalConfig } from './temporal-config';
import { TemporalContact } from './temporal-contact';
import { requireNamespace } from './temporal-namespace';
import { refuseTlsTrouble } from './temporal-trouble';

/** How long running activities get to notice the end of their worker before they are cancelled. */
const SHUTDOWN_GRACE = '10s';
/** And how long before it ends without them, when Temporal is away and takes no results any more. */
const SHUTDOWN_FORCE = '15s';

/** By default a heartbeat may be delayed for most of its time-out, and with it the progress that a retry starts from, and a cancellation. */
const MAX_HEARTBEAT_INTERVAL = '5s';

/**
 * How long a workflow may take for one task. The SDK cannot take a task back that is cut off: its thread ends, and with it the process. Its own five seconds
 * are over where a busy machine replays a history of thousands of events; the SDK takes the setting and does not name it.
 */
const WORKFLOW_TASK_LIMIT = { isolateExecutionTimeout: '1m' } as const;

/** Threads of training, and steps of a rounds worker at once: one a core unless FEDLOOP_THREADS names a number. */
export function cpuSlots(env: Environment): number {
  return env.FEDLOOP_THREADS > 0 ? env.FEDLOOP_THREADS : availableParallelism();
}

/**
 * Options of a worker that runs workflows. An error in workflow code fails the run with its message instead of retrying for ever. Code
 * that does not fit a history (a wrong release) does not fail the run: it continues once the right code is back.
 */
export function workflowOptions(
  env: Environment,
): Pick<WorkerOptions, 'workflowFailureErrorTypes' | 'workerDeploymentOptions'> {
  return {
    ...WORKFLOW_TASK_LIMIT,
    workflowFailureErrorTypes: { '*': ['TypeError', 'RangeError', 'ReferenceError', 'FedloopError'] },
    ...(env.FEDLOOP_BUILD_ID === undefined
      ? {}
      : {
          workerDeploymentOptions: {
            useWorkerVersioning: true,
            // Each fleet moves to a release by itself.
            version: { deploymentName: env.FEDLOOP_FLEET, buildId: env.FEDLOOP_BUILD_ID },
            // A run stays with the release that it began on, unless its workflow says otherwise (`workflows/releases.ts`).
            defaultVersioningBehavior: 'PINNED',
          },
        }),
  };
}

export interface TemporalWorker extends RunningRole, TemporalConnection {
  /** Whether the server is there. */
  readonly health: () => string | undefined;
}

/** A connection to Temporal, the namespace to use, and how payloads are encoded there. */
export interface TemporalConnection extends Pick<WorkerOptions, 'dataConverter'> {
  readonly connection: NativeConnection;
  readonly namespace: string;
}

/**
 * Address, namespace, API key and TLS come from Temporal's own environment variables and profile file.
 * @throws FedloopError `ServerUnavailable` when no Temporal server answers; `InvalidConfig` when it has no such namespace, when there is no such profile, and
 * as `refuseTlsTrouble` and `payloadCodec`.
 */
export async function connectToTemporal(
  log: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<TemporalConnection> {
  installRuntime(log);
  const config = temporalConfig(env);
  const address = config.connectionOptions.address ?? 'localhost:7233';
  const namespace = config.namespace ?? 'default';
  const codec = await payloadCodec(env);
  await refuseTlsTrouble(config.connectionOptions);
  let connection: NativeConnection;
  try {
    connection = await NativeConnection.connect(config.connectionOptions);
  } catch (cause) {
    throw new FedloopError(
      'ServerUnavailable',
      `no Temporal server answers at ${address}: ${reasonOf(cause)}`,
      { hint: 'Check TEMPORAL_ADDRESS and that the server runs.', cause },
    );
  }
  await requireNamespace(connection, namespace, address);
  return { connection, namespace, ...codec };
}

type OwnOptions = Omit<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime' | 'shutdownForceTime'>;

/**
 * Poll one task queue until `stop` is called.
 * @throws FedloopError as `connectToTemporal` does.
 */
export async function startTemporalWorker(log: Logger, options: OwnOptions): Promise<TemporalWorker> {
  return pollQueue(log, await connectToTemporal(log), options);
}

/** Poll one task queue over a connection that is closed with it. */
export async function pollQueue(
  log: Logger,
  temporal: TemporalConnection,
  options: OwnOptions,
): Promise<TemporalWorker> {
  const worker = await Worker.create({
    ...temporal,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    maxHeartbeatThrottleInterval: MAX_HEARTBEAT_INTERVAL,
    ...options,
  });
  const { connection, namespace } = temporal;
  const contact = new TemporalContact(connection, namespace, log);
  const ended = worker.run();
  const failed = ended.then(() => new Promise<never>(() => undefined));
  // Callers wait on `failed`; until they do, a failure must not count as unhandled.
  failed.catch(() => undefined);
  return {
    ...temporal,
    failed,
    health: () => contact.trouble,
    async stop() {
      contact.close();
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended.catch(() => undefined);
      await connection.close();
    },
  };
}

let installed = false;

function installRuntime(log: Logger): void {
  if (installed) return;
  installed = true;
  Runtime.install({
    // Signals are handled once, for the whole process.
    shutdownSignals: [],
    telemetryOptions: sdkTelemetry(),
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const fields = { temporal: meta };
      if (level === 'ERROR') log.error(fields, message);
      else if (level === 'WARN') log.warn(fields, message);
      else log.debug(fields, message);
    }),
  });
}
