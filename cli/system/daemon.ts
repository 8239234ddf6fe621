import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { packageFile } from '../shared/package-root';
import { errorLine } from '../processes/stderr-tail';
import { isAlive, signalProcess, startOf, type ProcessId } from '../processes/identity';
import { sizeOfFile, tailOfFile } from '../processes/tail';
import { hasBegun, type RunFolder } from './run-folder';
import { findRunning, type RunningSystem } from './running';
import { type Session } from './session';
import { poll } from '../shared/wait';

/** How a command's error begins. */
const ERROR = 'error: ';

/**
 * Start this command again as a daemon (a process in a session of its own) that keeps the system up, and wait until everything
 * is up. The daemon has a supervisor, like every command that starts servers, so its end leaves no process behind.
 * @throws FedloopError `ServerUnavailable` with the daemon's error when it fails, `Interrupted` on Ctrl-C; then nothing runs.
 */
export async function startDaemon(session: Session, run: RunFolder): Promise<RunningSystem> {
  const logFile = join(run.logs, 'up.log');
  // A run that is resumed has the lines of earlier daemons in it.
  const before = await sizeOfFile(logFile);
  const log = openSync(logFile, 'a');
  const child = spawn(
    process.execPath,
    [packageFile('bin', 'fedloop.js'), ...process.argv.slice(2), '--foreground', '--run-id', run.id],
    { detached: true, stdio: ['ignore', log, log], cwd: session.folder, env: session.env },
  );
  closeSync(log);
  child.unref();
  const { pid } = child;
  if (pid === undefined) throw new FedloopError('Internal', 'the daemon of the system could not be started');
  const daemon: ProcessId = { pid, started: startOf(pid) };
  // What the daemon ends with is this command's own error, said once.
  const last: string[] = [];
  const relay = relayLines(logFile, before, (line) => {
    if (last.length > 0 || line.startsWith(ERROR)) last.push(line);
    else session.progress.note(line);
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
    const [error = errorLine(await tailOfFile(logFile, LIMITS.tailLines, before)), ...hint] = last;
    throw new FedloopError(
      'ServerUnavailable',
      error === '' ? 'the system did not come up' : error.replace(ERROR, ''),
      {
        hint: [
          ...hint.map((line) => line.trim()),
          ...((await hasBegun(run)) ? [`The log is ${logFile}.`] : []),
        ].join(' '),
      },
    );
  } catch (cause) {
    await stopDaemon(daemon);
    throw cause;
  }
}

/**
 * Ask the daemon to stop its system, and make sure that it has ended. A process that has its number by now is left alone.
 * @throws FedloopError `InvalidInput` when it may not be stopped by this user.
 */
export async function stopDaemon(daemon: ProcessId): Promise<void> {
  if (signalProcess(daemon, 'SIGTERM') === 'refused')
    throw new FedloopError(
      'InvalidInput',
      `the system of this folder belongs to another user: its process ${daemon.pid} may not be stopped from here`,
      { hint: 'Run the command as the user who has started it.' },
    );
  const gone = await poll(() => Promise.resolve(isAlive(daemon) ? undefined : true), {
    everyMillis: LIMITS.readyPollMillis,
    timeoutMillis: LIMITS.daemonGraceMillis,
  });
  // Its supervisor ends the processes that it had started.
  if (gone !== true) signalProcess(daemon, 'SIGKILL');
}

/** @returns a function that publishes the lines that a growing file has got since its last call, from a byte on. */
function relayLines(path: string, from: number, publish: (line: string) => void): () => Promise<void> {
  let offset = from;
  let unfinished = '';
  return async () => {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      if (size <= offset) return;
      const { buffer, bytesRead } = await file.read(Buffer.alloc(size - offset), 0, size - offset, offset);
      offset += bytesRead;
      const lines = (unfinished + buffer.toString('utf8', 0, bytesRead)).split('\n');
      unfinished = lines.pop() ?? '';
      for (const line of lines) publish(line);
    } finally {
      await file.close();
    }
  };
}
