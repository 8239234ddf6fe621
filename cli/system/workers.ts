import { type Progress } from '../progress';
import { type Processes } from '../processes/processes';
import { isFree } from '../servers/ports';
import { startWorker, type WorkerProcess, type WorkerRole } from './worker-process';

/** What the workers of a system have in common. */
export interface WorkersStart {
  readonly processes: Processes;
  readonly progress: Progress;
  readonly env: NodeJS.ProcessEnv;
  readonly logFolder: string;
  readonly cwd: string;
  /** Where `/metrics` of a role listened before; any free port otherwise. */
  readonly ports: Readonly<Partial<Record<string, number>>>;
}

/** The workers of a system, each as it was started last. */
export class Workers {
  private readonly byRole = new Map<WorkerRole, WorkerProcess>();

  constructor(private readonly options: WorkersStart) {}

  get all(): readonly WorkerProcess[] {
    return [...this.byRole.values()];
  }

  /**
   * Start them, the fleet first: by the time it is ready it has written the history of its devices, which sites and stream workers read
   * when they start.
   */
  async start(roles: readonly WorkerRole[]): Promise<void> {
    const { progress, processes } = this.options;
    const waves: readonly (readonly WorkerRole[])[] = [
      roles.filter((role) => role === 'fleet'),
      roles.filter((role) => role !== 'fleet'),
    ];
    for (const wave of waves.filter(({ length }) => length > 0)) {
      const step = progress.step(
        wave.length === 1
          ? `Starting the worker: ${wave.join()}`
          : `Starting the workers: ${wave.join(', ')}`,
      );
      try {
        const started = await Promise.all(wave.map((role) => this.startOne(role, this.options.ports[role])));
        for (const worker of started) this.byRole.set(worker.role, worker);
      } catch (cause) {
        step.fail(processes.failure);
        throw cause;
      }
      step.done();
    }
  }

  /** Start one once more, after it has ended, where its metrics were. */
  async again(role: WorkerRole): Promise<WorkerProcess> {
    const url = this.byRole.get(role)?.url;
    const worker = await this.startOne(role, url === undefined ? undefined : Number(new URL(url).port));
    this.byRole.set(role, worker);
    return worker;
  }

  private async startOne(role: WorkerRole, port: number | undefined): Promise<WorkerProcess> {
    const { processes, env, logFolder, cwd } = this.options;
    // Another program may have taken it meanwhile.
    const own = port !== undefined && (await isFree(port)) ? port : 0;
    const named = { ...env, FEDLOOP_HTTP_PORT: String(own) };
    return startWorker(processes, role, { env: named, logFolder, cwd });
  }
}
