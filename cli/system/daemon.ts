import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { packageFile } from '../shared/package-root';
import { errorLine } from '../processes/stderr-tail';
import { tailOfFile } from '../processes/tail';
import { type RunFolder } from './run-folder';
import { findRunning, isAlive, type RunningSystem } from './running';
import { type Session } from './session';
import { poll } from '../shared/wait';

/**
 * Start this very command again as a process of its own session, which holds the system, and wait until everything is up. The
 * keeper has a supervisor as every command that starts servers: whatever ends it, nothing stays behind.
 * @throws FedloopError `ServerUnavailable` with the keeper's last words when it gives up, `Interrupted` on Ctrl-C; then nothing runs.
 */
export async function startDaemon(session: Session, run: RunFolder): Promise<RunningSystem> {
  const logFile = join(run.logs, 'up.log');
  const log = openSync(logFile, 'a');
  const child = spawn(
    process.execPath,
    [packageFile('bin', 'fedloop.js'), ...process.argv.slice(2), '--foreground', '--run-id', run.id],
    { detached: true, stdio: ['ignore', log, log], cwd: session.folder, env: session.env },
  );
  closeSync(log);
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new FedloopError('Internal', 'the keeper of the system could not be started');
  const relay = relayLines(logFile, (line) => {
    session.progress.note(line);
  });
  try {
    const system = await poll(
      async () => {
        await relay();
        const found = await findRunning(session.folder);
        if (found?.pid === pid) return found;
        return child.exitCode !== null || child.signalCode !== null ? null : undefined;
      },
      {
        everyMillis: LIMITS.readyPollMillis,
        timeoutMillis: LIMITS.systemReadyMillis,
        signal: session.signal,
      },
    );
    if (system !== undefined && system !== null) return system;
    const said = errorLine(await tailOfFile(logFile, LIMITS.tailLines));
    throw new FedloopError(
      'ServerUnavailable',
      `the system did not come up${said === '' ? '' : `: ${said}`}`,
      {
        hint: `Its log is ${logFile}.`,
      },
    );
  } catch (cause) {
    await stopDaemon(pid);
    throw cause;
  }
}

/** Ask the process that holds a system to stop it, and make sure that it is gone. */
export async function stopDaemon(pid: number): Promise<void> {
  signal(pid, 'SIGTERM');
  const gone = await poll(() => Promise.resolve(isAlive(pid) ? undefined : true), {
    everyMillis: LIMITS.readyPollMillis,
    timeoutMillis: LIMITS.daemonGraceMillis,
  });
  // Its supervisor ends what it had started.
  if (gone !== true) signal(pid, 'SIGKILL');
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself, which is what the caller is after.
  }
}

/** Hands on what a growing file has got since the last call, line by line. */
function relayLines(path: string, tell: (line: string) => void): () => Promise<void> {
  let offset = 0;
  let rest = '';
  return async () => {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size <= offset) return;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      offset += bytesRead;
      const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) tell(line);
    } finally {
      await file.close();
    }
  };
}
