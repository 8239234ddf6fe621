import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { logSettings } from '../../cli/system/log-settings';
import { packageFile } from '../../cli/shared/package-root';
import { signalGroup } from '../../cli/processes/child';
import { Processes } from '../../cli/processes/processes';
import { silentProgress } from '../../cli/progress/progress';
import { cacheFolder } from '../../cli/servers/cache';
import { obtainTemporal } from '../../cli/servers/obtain-temporal';
import { freePorts } from '../../cli/servers/ports';
import { startTemporal, TEMPORAL_NAMESPACE, type TemporalServer } from '../../cli/servers/start-temporal';
import { type WorkerProcess, type WorkerRole } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { type FleetSettings } from '../../fleet/settings';
import { FaultyNetwork } from './faulty-network';
import { type KeyFiles } from './signing-keys';
import { StreamSystem } from './stream-system';

/** Time that a server or worker gets to stop; what is left is killed. */
const STOP_MILLIS = 5_000;

/**
 * Everything that a round needs, on a broker and a Temporal server of its own, with a small simulated fleet. Workers and servers may be
 * killed, kept away and started again.
 */
export class RoundSystem {
  private readonly workers = new Map<WorkerRole, WorkerProcess>();

  private constructor(
    readonly stream: StreamSystem,
    private readonly processes: Processes,
    private readonly program: string,
    private readonly port: number,
    private server: TemporalServer,
    /** Between Temporal and the workers, where the test wants one. */
    readonly network: FaultyNetwork | undefined,
    private readonly keys: KeyFiles | undefined,
  ) {}

  /**
   * @param behind what stands between the workers and both servers.
   * @param keys of a deployment whose messages are signed.
   */
  static async start(
    fleet: Partial<FleetSettings>,
    behind: 'cable' | 'faulty network' = 'cable',
    keys?: KeyFiles,
  ): Promise<RoundSystem> {
    const processes = Processes.start();
    const [port = 0] = await freePorts(1);
    const network = behind === 'faulty network' ? await FaultyNetwork.before(port) : undefined;
    const variables = {
      TEMPORAL_ADDRESS: `127.0.0.1:${network?.port ?? port}`,
      TEMPORAL_NAMESPACE,
      FEDLOOP_SIMULATION: JSON.stringify({ data: packageFile('data', 'weather'), ...fleet }),
      FEDLOOP_SESSION_TIMEOUT: '4s',
      // What a test asks for is what changes the champion, and nothing else.
      FEDLOOP_EVALUATION: JSON.stringify({ rollback: 'off', onDrift: 'off', firstRound: 'off' }),
      ...(keys && { FEDLOOP_TRUSTED_KEYS: keys.trusted }),
    };
    const stream = await StreamSystem.start(variables, undefined, behind);
    const program = await obtainTemporal(cacheFolder(), processes, silentProgress);
    const server = await startTemporal({ processes, program, port, ...filesOf(stream) });
    const system = new RoundSystem(stream, processes, program, port, server, network, keys);
    await logSettings({ ...stream.env, ...system.signingKeyOf('rounds') }, DEFAULT_STREAM_SETTINGS);
    // The past of its devices must be written when the others start.
    await system.startWorker('fleet');
    await Promise.all(
      (['rounds', 'site', 'stream', 'analytics'] as const).map((role) => system.startWorker(role)),
    );
    return system;
  }

  async startWorker(
    role: WorkerRole,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<WorkerProcess> {
    const { folder, warehouse } = this.stream;
    const worker = await this.stream.startWorker(role, {
      FEDLOOP_WAREHOUSE: warehouse,
      FEDLOOP_PROCESSED: join(folder, 'processed'),
      FEDLOOP_MODELS: join(folder, 'models'),
      ...this.signingKeyOf(role),
      ...variables,
    });
    this.workers.set(role, worker);
    return worker;
  }

  /** Of the roles, one alone deploys. */
  private signingKeyOf(role: WorkerRole): Readonly<Record<string, string>> {
    return this.keys === undefined || role !== 'rounds' ? {} : { FEDLOOP_SIGNING_KEY: this.keys.signing };
  }

  /** `kill -9` of the worker of this role that was started last. @returns when, in milliseconds since 1970. */
  kill(role: WorkerRole): number {
    signalGroup(this.workerOf(role).child.pid, 'SIGKILL');
    return Date.now();
  }

  /** Stop a worker for so long without its knowing (`SIGSTOP`), as a machine does that sleeps or swaps. */
  async freeze(role: WorkerRole, millis: number): Promise<void> {
    const { pid } = this.workerOf(role).child;
    signalGroup(pid, 'SIGSTOP');
    await sleep(millis);
    signalGroup(pid, 'SIGCONT');
  }

  /** Tell a worker to go, and wait until it has. @returns its exit code; null when it had to be killed. */
  async leave(role: WorkerRole, millis: number): Promise<number | null> {
    return (await this.workerOf(role).child.stop(millis)).code;
  }

  private workerOf(role: WorkerRole): WorkerProcess {
    const worker = this.workers.get(role);
    if (worker === undefined) throw new Error(`there is no ${role} worker`);
    return worker;
  }

  /** Whether the worker of this role that was started last has not ended. */
  isRunning(role: WorkerRole): boolean {
    return this.workerOf(role).child.running;
  }

  urlOf(role: WorkerRole): string {
    return this.workers.get(role)?.url ?? '';
  }

  /** Temporal is killed and comes back with its database and its address. */
  async temporalAway(millis: number): Promise<void> {
    signalGroup(this.server.child.pid, 'SIGKILL');
    await this.server.child.stop(STOP_MILLIS);
    await sleep(millis);
    this.server = await startTemporal({
      processes: this.processes,
      program: this.program,
      port: this.port,
      ...filesOf(this.stream),
    });
  }

  async client(): Promise<Client> {
    const connection = await Connection.connect({ address: this.server.address });
    return new Client({ connection, namespace: TEMPORAL_NAMESPACE });
  }

  async stop(): Promise<void> {
    await this.stream.stop();
    await this.processes.stopAll(STOP_MILLIS);
    await this.network?.close();
  }
}

function filesOf({ folder }: StreamSystem): { readonly database: string; readonly logFolder: string } {
  return { database: join(folder, 'temporal.db'), logFolder: join(folder, 'logs') };
}
