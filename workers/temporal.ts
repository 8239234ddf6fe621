import { availableParallelism } from 'node:os';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { DefaultLogger, NativeConnection, Runtime, Worker, type WorkerOptions } from '@temporalio/worker';
import { FedloopError, messageOf } from '../core/contracts/errors';
import { type Environment } from '../core/contracts/config';
import { type Logger } from '../core/platform/log';
import { type RunningRole } from './role';

/** How long running activities get to notice the end of their worker before they are given up. */
const SHUTDOWN_GRACE = '10s';

/** One core's worth of work a slot for training; DuckDB has one owner, whose steps must not overlap its sink. */
export function cpuSlots(env: Environment): number {
  return env.FEDLOOP_THREADS > 0 ? env.FEDLOOP_THREADS : availableParallelism();
}

/**
 * Poll one task queue until told to stop. Address, namespace, API key and TLS come from Temporal's own environment
 * variables and profile file.
 * @throws FedloopError `ServerUnavailable` when no Temporal server answers.
 */
export async function runTemporalWorker(
  log: Logger,
  options: Omit<WorkerOptions, 'connection' | 'namespace' | 'shutdownGraceTime'>,
): Promise<RunningRole> {
  installRuntime(log);
  const config = loadClientConnectConfig();
  const address = config.connectionOptions.address ?? 'localhost:7233';
  let connection: NativeConnection;
  try {
    connection = await NativeConnection.connect(config.connectionOptions);
  } catch (cause) {
    throw new FedloopError(
      'ServerUnavailable',
      `no Temporal server answers at ${address}: ${messageOf(cause)}`,
      {
        hint: 'Check TEMPORAL_ADDRESS and that the server runs.',
        cause,
      },
    );
  }
  const worker = await Worker.create({
    connection,
    namespace: config.namespace ?? 'default',
    shutdownGraceTime: SHUTDOWN_GRACE,
    ...options,
  });
  const ended = worker.run();
  return {
    failed: ended.then(() => new Promise<never>(() => undefined)),
    async stop() {
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
    logger: new DefaultLogger('INFO', ({ level, message, meta }) => {
      const fields = { temporal: meta };
      if (level === 'ERROR') log.error(fields, message);
      else if (level === 'WARN') log.warn(fields, message);
      else log.debug(fields, message);
    }),
  });
}
