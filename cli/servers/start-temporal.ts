import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time';
import { FedloopError } from '../../core/contracts/errors';
import { SEARCH_ATTRIBUTES } from '../../core/contracts/search-attributes';
import { LIMITS } from '../shared/limits';
import { type Child } from '../processes/child';
import { type Processes } from '../processes/processes';
import { poll } from '../shared/wait';
import { serverEnvironment } from './own-environment';
import { answers, freePorts } from './ports';

export interface TemporalServer {
  /** `host:port` of the gRPC front end. */
  readonly address: string;
  readonly uiUrl: string;
  readonly metricsUrl: string;
  readonly child: Child;
}

interface TemporalStart {
  readonly processes: Processes;
  readonly program: string;
  /** The SQLite file that keeps workflows over a restart. */
  readonly database: string;
  readonly logFolder: string;
  /** Ports that were checked to be free, or any. */
  readonly port?: number | undefined;
  readonly uiPort?: number | undefined;
  readonly metricsPort?: number | undefined;
}

const HOST = '127.0.0.1';
/** The server's own words for the types of search attributes. */
const SERVER_TYPES = { KEYWORD: 'Keyword', DOUBLE: 'Double' } as const;
export const TEMPORAL_NAMESPACE = 'default';

/** Without these SQLite waits for the disk several times a step. With them the file survives a killed server as well, though not always a power cut. */
const SQLITE_PRAGMAS = ['journal_mode=wal', 'synchronous=normal'];
const DYNAMIC_CONFIG = {
  /**
   * By default a shard hands on 20 tasks a second. A cluster has hundreds of shards, this server has one: from the 21st on, each step of a
   * workflow would wait 50 ms for its worker, and 50 ms for its result.
   */
  'history.transferProcessorMaxPollRPS': 1_000,
  /** Steps of the worker that runs the workflow begin in the answer to its workflow task, instead of after a way through the task queue. */
  'system.enableActivityEagerExecution': true,
};

/** SQLite's words for a file that it cannot use, and for one that was emptied. */
const DAMAGED = /no such table|database disk image is malformed|file is not a database/i;

/**
 * Start Temporal's development server and wait until it answers.
 * @throws FedloopError `ServerUnavailable` when it ends or doesn't answer in time.
 */
export async function startTemporal(start: TemporalStart): Promise<TemporalServer> {
  await mkdir(dirname(start.database), { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    const ports = await freePorts(4);
    const [port = 0, uiPort = 0, httpPort = 0, metricsPort = 0] = [
      start.port ?? ports[0],
      start.uiPort ?? ports[1],
      ports[2],
      start.metricsPort ?? ports[3],
    ];
    const child = await start.processes.spawn({
      name: 'Temporal',
      command: start.program,
      env: serverEnvironment(process.env),
      args: [
        ...['server', 'start-dev', '--ip', HOST, '--port', String(port), '--ui-port', String(uiPort)],
        ...[
          '--http-port',
          String(httpPort),
          '--metrics-port',
          String(metricsPort),
          '--namespace',
          TEMPORAL_NAMESPACE,
        ],
        ...Object.values(SEARCH_ATTRIBUTES).flatMap(({ name, type }) => [
          '--search-attribute',
          `${name}=${SERVER_TYPES[type]}`,
        ]),
        ...['--db-filename', start.database, '--log-level', 'warn', '--log-format', 'json'],
        ...SQLITE_PRAGMAS.flatMap((pragma) => ['--sqlite-pragma', pragma]),
        ...Object.entries(DYNAMIC_CONFIG).flatMap(([key, value]) => [
          '--dynamic-config-value',
          `${key}=${value}`,
        ]),
      ],
      logFile: join(start.logFolder, 'temporal.log'),
      dataFolder: dirname(start.database),
    });
    const address = `${HOST}:${port}`;
    if (await whenReady(child, address)) {
      return {
        address,
        uiUrl: `http://${HOST}:${uiPort}`,
        metricsUrl: `http://${HOST}:${metricsPort}/metrics`,
        child,
      };
    }
    await child.stop(0);
    const log = await child.tail();
    const anyPort = [start.port, start.uiPort, start.metricsPort].every((port) => port === undefined);
    if (
      /address already in use|can't set frontend port/i.test(log) &&
      anyPort &&
      attempt < LIMITS.portAttempts
    )
      continue;
    if (DAMAGED.test(log)) throw damagedDatabase(start.database, log);
    throw new FedloopError('ServerUnavailable', 'Temporal was started but did not become ready', {
      hint: `Its log is ${child.logFile}.`,
      cause: new Error(log),
    });
  }
}

function damagedDatabase(database: string, log: string): FedloopError {
  return new FedloopError('ServerUnavailable', `Temporal's database ${database} is damaged`, {
    hint: `Move ${database}* away and start again: rounds under way, their histories and schedules are lost with it; versions, tables and all that was measured stay.`,
    cause: new Error(log),
  });
}

async function whenReady(child: Child, address: string): Promise<boolean> {
  const ready = await poll(
    async () => {
      if (!child.running) return false;
      // A gRPC channel that was refused once waits a second before it tries again; a plain look first saves that.
      if (!(await answers(address, LIMITS.externalConnectMillis))) return undefined;
      return (await keepsClosedWorkflows(address)) ? true : undefined;
    },
    { everyMillis: LIMITS.readyPollMillis, timeoutMillis: LIMITS.temporalReadyMillis },
  );
  return ready === true;
}

/** Have the namespace keep closed workflows as long as people look for them. @returns whether there is a namespace that will */
async function keepsClosedWorkflows(address: string): Promise<boolean> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.connect({ address, connectTimeout: LIMITS.externalConnectMillis });
    await connection.workflowService.updateNamespace({
      namespace: TEMPORAL_NAMESPACE,
      config: { workflowExecutionRetentionTtl: msToTs(LIMITS.closedWorkflowsMillis) },
    });
    return true;
  } catch {
    return false;
  } finally {
    await connection?.close();
  }
}
