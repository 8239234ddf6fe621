import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { signalGroup } from '../../cli/processes/child';
import { Processes } from '../../cli/processes/processes';
import { silentProgress } from '../../cli/progress/progress';
import { cacheFolder } from '../../cli/servers/cache';
import { findJava } from '../../cli/servers/java';
import { obtainKafka } from '../../cli/servers/obtain-kafka';
import { freePorts } from '../../cli/servers/ports';
import { startKafka, type KafkaServer } from '../../cli/servers/start-kafka';
import { type FedloopError } from '../../core/contracts/errors';
import {
  startWorker,
  workerFailure,
  type WorkerProcess,
  type WorkerRole,
} from '../../cli/system/worker-process';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { FaultyNetwork } from './faulty-network';
import { runFedloop, type CommandResult } from './run-fedloop';

/**
 * A broker of its own and workers as processes, all of which a test may kill, freeze and start again. Temporal is the test
 * run's.
 */
export class StreamSystem {
  private broker: KafkaServer | undefined;
  private readonly port: number;
  private workersStarted = 0;

  private constructor(
    readonly folder: string,
    private readonly processes: Processes,
    private readonly java: string,
    private readonly classPath: string,
    broker: KafkaServer,
    private readonly variables: Readonly<Record<string, string>>,
    /** Between the broker and all others, where the test wants one. */
    readonly network: FaultyNetwork | undefined,
  ) {
    this.broker = broker;
    this.port = Number(broker.broker.split(':')[1]);
  }

  /** @param prepare does with the folder what has to be done before anything is in it. */
  static async start(
    variables: Readonly<Record<string, string>> = {},
    prepare: (folder: string) => void = () => undefined,
    behind: 'cable' | 'faulty network' = 'cable',
  ): Promise<StreamSystem> {
    const folder = await mkdtemp(join(tmpdir(), 'fedloop-stream-'));
    prepare(folder);
    const processes = Processes.start();
    const java = await findJava();
    const classPath = await obtainKafka(cacheFolder(), processes, silentProgress);
    const [port] = behind === 'faulty network' ? await freePorts(1) : [];
    const network = port === undefined ? undefined : await FaultyNetwork.before(port);
    const broker = await startKafka({
      port,
      advertisedPort: network?.port,
      processes,
      java,
      classPath,
      folder: join(folder, 'kafka'),
      logFolder: join(folder, 'logs'),
    });
    return new StreamSystem(folder, processes, java, classPath, broker, variables, network);
  }

  /** Where the others reach the broker. */
  get address(): string {
    return `127.0.0.1:${this.network?.port ?? this.port}`;
  }

  get env(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      KAFKA_BROKERS: this.address,
      // Rounds are the tests' own to start.
      FEDLOOP_EVALUATION: '{"firstRound": "off"}',
      // Tests ask by the worker's address alone.
      FEDLOOP_SQL_TOKEN: 'off',
      ...this.variables,
    };
  }

  get warehouse(): string {
    return join(this.folder, 'warehouse.duckdb');
  }

  connect(): Promise<Kafka> {
    return connectKafka(readEnvironment(this.env), 'fedloop-test', silentLogger());
  }

  /** Start a worker that knows the addresses of the servers and `variables`. */
  startWorker(role: WorkerRole, variables: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    this.workersStarted += 1;
    return startWorker(this.processes, role, {
      env: { ...this.env, ...variables },
      // Its own log: the end of a killed worker's log is worth reading.
      logFolder: join(this.folder, 'logs', `${role}-${this.workersStarted}`),
      cwd: this.folder,
    });
  }

  /** As on another machine: a stream worker that knows only the addresses of broker and Temporal. */
  startBareStream(): Promise<WorkerProcess> {
    this.workersStarted += 1;
    const { PATH, HOME, TEMPORAL_ADDRESS } = process.env;
    return startWorker(this.processes, 'stream', {
      env: { PATH, HOME, TEMPORAL_ADDRESS, KAFKA_BROKERS: this.address },
      logFolder: join(this.folder, 'logs', `stream-${this.workersStarted}`),
      cwd: this.folder,
    });
  }

  startAnalytics(variables: Readonly<Record<string, string>> = {}): Promise<WorkerProcess> {
    return this.startWorker('analytics', {
      ...variables,
      FEDLOOP_WAREHOUSE: this.warehouse,
      FEDLOOP_PROCESSED: join(this.folder, 'processed'),
    });
  }

  /** How the broker ended that runs now, said as `fedloop up` says it. */
  async brokerEnd(): Promise<FedloopError> {
    const { broker } = this;
    if (broker === undefined) throw new Error('there is no broker');
    await broker.child.ended;
    return workerFailure(broker.child, 'ended unexpectedly');
  }

  /** The broker dies or is stopped, and comes back, after a while, with its log and its address. */
  async restartBroker(how: 'killed' | 'stopped', awayMillis = 0): Promise<void> {
    await this.endBroker(how);
    await sleep(awayMillis);
    await this.startBroker();
  }

  async endBroker(how: 'killed' | 'stopped'): Promise<void> {
    const { broker } = this;
    if (broker === undefined) return;
    if (how === 'killed') signalGroup(broker.child.pid, 'SIGKILL');
    await broker.child.stop(STOP_MILLIS);
  }

  /** Start the broker again after its end, with its log and its address. */
  async startBroker(): Promise<void> {
    this.broker = await startKafka({
      processes: this.processes,
      java: this.java,
      classPath: this.classPath,
      folder: join(this.folder, 'kafka'),
      logFolder: join(this.folder, 'logs'),
      port: this.port,
      advertisedPort: this.network?.port,
    });
  }

  /** A `fedloop` command beside the system, as a user would run it. */
  command(...words: string[]): Promise<CommandResult> {
    return this.commandWith({}, ...words);
  }

  commandWith(variables: Readonly<Record<string, string>>, ...words: string[]): Promise<CommandResult> {
    return runFedloop(words, { cwd: this.folder, env: { ...this.env, ...variables } });
  }

  async stop(): Promise<void> {
    await this.processes.stopAll(STOP_MILLIS);
    await this.network?.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

const STOP_MILLIS = 5_000;
