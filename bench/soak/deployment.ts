import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Servers } from '../../cli/servers/servers';
import { packageFile } from '../../cli/shared/package-root';
import { logSettings } from '../../cli/system/log-settings';
import { startWorker, type WorkerProcess, type WorkerRole } from '../../cli/system/worker-process';
import { messageOf } from '../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { type FleetSettings } from '../../fleet/settings';
import { serversOf, type Workspace } from '../support/run';

/** A system under load: a fleet that sends by the clock, and all workers. */
export interface SoakSystem {
  readonly servers: Servers;
  worker(role: WorkerRole): WorkerProcess;
  workers(): readonly WorkerProcess[];
  /** Stop a worker as `fedloop down` would. */
  leave(role: WorkerRole): Promise<void>;
  back(role: WorkerRole): Promise<void>;
  /** What `fedloop verify` says at the end, once every row has arrived. */
  verify(): Promise<string>;
}

const GRACE_MILLIS = 30_000;
/** `verify` replays every event of an hour. */
const VERIFY_MILLIS = 15 * 60_000;

export async function startSoakSystem(
  workspace: Workspace,
  fleet: Partial<FleetSettings>,
): Promise<SoakSystem> {
  const { folder, processes } = workspace;
  const servers = await serversOf(workspace);
  const env = workerEnvironment(servers, folder, fleet);
  await logSettings(env, DEFAULT_STREAM_SETTINGS);
  const workers = new Map<WorkerRole, WorkerProcess>();
  const back = async (role: WorkerRole): Promise<void> => {
    workers.set(
      role,
      await startWorker(processes, role, { env, logFolder: join(folder, 'logs'), cwd: folder }),
    );
  };
  const worker = (role: WorkerRole): WorkerProcess => {
    const found = workers.get(role);
    if (found === undefined) throw new Error(`there is no ${role} worker`);
    return found;
  };
  // The past of its devices must be written when the others start.
  await back('fleet');
  await Promise.all((['rounds', 'site', 'stream', 'analytics'] as const).map(back));
  return {
    servers,
    worker,
    workers: () => [...workers.values()],
    leave: async (role) => {
      await worker(role).child.stop(GRACE_MILLIS);
    },
    back,
    verify: () => verify(env, folder, worker('analytics').url),
  };
}

function workerEnvironment(
  servers: Servers,
  folder: string,
  fleet: Partial<FleetSettings>,
): NodeJS.ProcessEnv {
  return {
    ...servers.env,
    FEDLOOP_SIMULATION: JSON.stringify({ data: packageFile('data', 'weather'), ...fleet }),
    FEDLOOP_WAREHOUSE: join(folder, 'warehouse.duckdb'),
    FEDLOOP_PROCESSED: join(folder, 'processed'),
    FEDLOOP_MODELS: join(folder, 'models'),
    FEDLOOP_HTTP_PORT: '0',
    FEDLOOP_SQL_TOKEN: randomUUID(),
    // Rounds are the benchmark's own to start.
    FEDLOOP_EVALUATION: JSON.stringify({ rollback: 'off', onDrift: 'off', firstRound: 'off' }),
    // As `fedloop demo` starts its workers.
    MALLOC_ARENA_MAX: servers.env['MALLOC_ARENA_MAX'] ?? '2',
  };
}

async function verify(env: NodeJS.ProcessEnv, cwd: string, analytics: string): Promise<string> {
  const words = [packageFile('bin', 'fedloop.js'), 'verify', '--wait', '2m', '--analytics', analytics];
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, words, { cwd, env, timeout: VERIFY_MILLIS }).catch(
    // A measurement that took an hour is told whatever comes of the comparison, and which rows differ.
    (cause: unknown) => ({ stdout: `${said(cause)}\nverify failed: ${messageOf(cause)}` }),
  );
  return stdout.trim();
}

/** What a command that failed had printed. */
function said(cause: unknown): string {
  return cause instanceof Error && 'stdout' in cause ? String(cause.stdout) : '';
}
