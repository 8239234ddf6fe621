import { Client, Connection } from '@temporalio/client';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { fleetNames, type FleetNames } from '../../core/contracts/queues';
import { readEnvironment } from '../../core/platform/config';
import { payloadCodec } from '../../workers/payload-codec';
import { temporalConfig } from '../../workers/temporal-config';
import { requireNamespace } from '../../workers/temporal-namespace';
import { refuseTlsTrouble } from '../../workers/temporal-trouble';
import { clientTracing } from '../../workers/tracing';
import { LIMITS } from '../shared/limits';
import { answers } from './ports';

interface TemporalClient {
  readonly client: Client;
  /** Send the spans of what was started. Never fails. */
  endTracing(): Promise<void>;
  close(): Promise<void>;
}

/** Whether the environment names a Temporal server: by its address, or through a profile or file that the user chose. */
export function namesTemporal(env: NodeJS.ProcessEnv): boolean {
  return ['TEMPORAL_ADDRESS', 'TEMPORAL_PROFILE', 'TEMPORAL_CONFIG_FILE'].some(
    (name) => (env[name] ?? '') !== '',
  );
}

/**
 * Connect to the server that an environment names (TEMPORAL_ADDRESS and its relatives, or a profile).
 * @throws FedloopError `ServerUnavailable`; `InvalidConfig` as `temporalConfig`, `payloadCodec` and `clientTracing`, or when there is no such namespace
 */
export async function connectTemporal(env: NodeJS.ProcessEnv): Promise<TemporalClient> {
  const { connectionOptions, namespace = 'default' } = temporalConfig(env);
  const address = connectionOptions.address ?? 'the configured address';
  const tracing = clientTracing(env, (sentence) => process.stderr.write(`warning: ${sentence}\n`));
  const { tls, apiKey, metadata } = connectionOptions;
  try {
    if (await refusesAtOnce(address)) throw new Error('the connection was refused');
    await refuseTlsTrouble(connectionOptions);
    const connection = await Connection.connect({
      ...(connectionOptions.address === undefined ? {} : { address: connectionOptions.address }),
      ...(tls === undefined || tls === null ? {} : { tls }),
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(metadata === undefined ? {} : { metadata }),
      connectTimeout: LIMITS.externalConnectMillis,
    });
    await requireNamespace(connection, namespace, address);
    const codec = await payloadCodec(env);
    return {
      client: new Client({ connection, namespace, ...codec, interceptors: { workflow: tracing.workflow } }),
      endTracing: () => tracing.stop(),
      close: () => connection.close(),
    };
  } catch (cause) {
    if (cause instanceof FedloopError) throw cause;
    throw new FedloopError(
      'ServerUnavailable',
      `no Temporal server answers at ${address}: ${messageOf(cause)}`,
      {
        hint: 'Check TEMPORAL_ADDRESS and that the server runs, or unset it to let fedloop start one.',
        cause,
      },
    );
  }
}

/**
 * gRPC tries a refused connection again until its time-out. On loopback, where no proxy can stand in between, a plain look finds
 * out at once.
 */
async function refusesAtOnce(address: string): Promise<boolean> {
  if (!/^(localhost|127\.[\d.]+|\[::1\]):\d{1,5}$/.test(address)) return false;
  return !(await answers(address, LIMITS.externalConnectMillis));
}

/**
 * Work with a client and the names that the environment's fleet has there, and close its connection afterwards. After a failure it is left open: calls that are not awaited any more may
 * still be trying again, and the SDK throws from a timer when their connection has gone. The end of the process closes it.
 */
export async function withTemporal<Result>(
  env: NodeJS.ProcessEnv,
  work: (client: Client, names: FleetNames) => Promise<Result>,
): Promise<Result> {
  const names = fleetNames(readEnvironment(env).FEDLOOP_FLEET);
  const temporal = await connectTemporal(env);
  let result: Result;
  try {
    result = await work(temporal.client, names);
  } finally {
    await temporal.endTracing();
  }
  await temporal.close();
  return result;
}
