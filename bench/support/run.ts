import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Processes } from '../../cli/processes/processes';
import { cacheFolder } from '../../cli/servers/cache';
import { startServers, type Servers } from '../../cli/servers/servers';
import { LIMITS } from '../../cli/shared/limits';
import { unlessAborted } from '../../cli/shared/wait';
import { describeFailure } from '../../cli/shared/fail';
import { type Session, withSession } from '../../cli/system/session';

/** Run a benchmark that starts processes, and end this one: with a sentence where it fails, and without waiting for what still runs. */
export function runBenchmark(main: (session: Session) => Promise<void>): void {
  withSession(main)
    .catch((thrown: unknown) => {
      const { text, exitCode } = describeFailure(thrown, false);
      process.stderr.write(text);
      process.exitCode = exitCode;
    })
    .finally(() => {
      process.exit();
    });
}

/** Where a benchmark works: processes and a folder that are gone when it ends, also on Ctrl-C. */
export interface Workspace {
  readonly session: Session;
  readonly processes: Processes;
  readonly folder: string;
}

export async function inWorkspace(
  session: Session,
  work: (workspace: Workspace) => Promise<void>,
): Promise<void> {
  const processes = Processes.start();
  const folder = await mkdtemp(join(tmpdir(), 'fedloop-bench-'));
  try {
    await unlessAborted(work({ session, processes, folder }), session.signal);
  } finally {
    await processes.stopAll(
      session.signal.aborted ? LIMITS.interruptedGraceMillis : LIMITS.serverGraceMillis,
    );
    await rm(folder, { recursive: true, force: true });
  }
}

/** Kafka and Temporal, with data and logs in the workspace's folder. */
export function serversOf({ session, processes, folder }: Workspace): Promise<Servers> {
  return startServers({
    env: session.env,
    cache: cacheFolder(session.env),
    folder: join(folder, 'servers'),
    logFolder: join(folder, 'logs'),
    processes,
    progress: session.progress,
  });
}
