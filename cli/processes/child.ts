import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { FedloopError } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { startOf, type ProcessId } from './identity';
import { sizeOfFile, tailOfFile } from './tail';

export interface ChildOptions {
  /** Name for messages: `kafka`, `stream worker`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** stderr goes here, and stdout too unless `onLine` reads it. */
  readonly logFile: string;
  /** A log that the program keeps by itself: its last lines belong to the tail. */
  readonly ownLogFile?: string;
  /** Where the program keeps its data, for messages about disks. */
  readonly dataFolder?: string;
  /** Each line of stdout as it comes. */
  readonly onLine?: (line: string) => void;
}

interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process in a group of its own, which is stopped as a whole. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  /** For whoever signals it later, from another process. */
  readonly id: ProcessId;
  readonly logFile: string;
  readonly dataFolder: string | undefined;
  readonly running: boolean;
  /** Resolves once it has ended. */
  readonly ended: Promise<Exit>;
  /** The last lines that this process has written to its log, and none of an earlier one; left out: enough for a stack. */
  tail(lines?: number): Promise<string>;
  /** Ask it to stop, kill the group after `graceMillis`; resolves when it has ended. */
  stop(graceMillis: number): Promise<Exit>;
}

/**
 * The shell waits for one line before it becomes the command. So nothing runs before the supervisor knows its process group, and
 * our death cannot leave it behind: while the shell still waits, our death ends its input, and it exits.
 */
const GATE = 'read -r go && exec "$@" </dev/null';

/**
 * Start a process, in a group of its own, that lives no longer than this one.
 * @param admit called with the group before the command itself runs; its rejection keeps the command from running.
 * @throws FedloopError `NotFound` when there is no such command.
 */
export async function startChild(
  options: ChildOptions,
  admit: (group: number) => Promise<void>,
): Promise<Child> {
  await mkdir(dirname(options.logFile), { recursive: true });
  const logs = [...(options.ownLogFile === undefined ? [] : [options.ownLogFile]), options.logFile];
  const before = await Promise.all(logs.map(sizeOfFile));
  const log = openSync(options.logFile, 'a');
  const readsOutput = options.onLine !== undefined;
  let process: ChildProcess;
  try {
    process = spawn('/bin/sh', ['-c', GATE, options.name, options.command, ...options.args], {
      detached: true,
      stdio: ['pipe', readsOutput ? 'pipe' : log, log],
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
  } finally {
    closeSync(log);
  }
  const ended = endOf(process);
  const { pid } = process;
  if (pid === undefined)
    throw new FedloopError('NotFound', `${options.name} could not be started: there is no /bin/sh`);
  if (options.onLine !== undefined && process.stdout !== null) {
    createInterface({ input: process.stdout }).on('line', options.onLine);
  }
  process.stdin?.on('error', () => undefined);
  try {
    await admit(pid);
  } catch (cause) {
    process.stdin?.end();
    throw cause;
  }
  process.stdin?.end('go\n');

  const running = (): boolean => process.exitCode === null && process.signalCode === null;
  return {
    name: options.name,
    pid,
    id: { pid, started: startOf(pid) },
    logFile: options.logFile,
    dataFolder: options.dataFolder,
    get running() {
      return running();
    },
    ended,
    async tail(lines = LIMITS.tailLines) {
      const tails = await Promise.all(logs.map((log, index) => tailOfFile(log, lines, before[index])));
      return tails.filter((tail) => tail !== '').join('\n');
    },
    async stop(graceMillis) {
      // Until it is known to have ended, nobody else can have its number.
      if (running()) signalGroup(pid, 'SIGTERM');
      const timer = setTimeout(() => {
        if (running()) signalGroup(pid, 'SIGKILL');
      }, graceMillis);
      const exit = await ended;
      clearTimeout(timer);
      return exit;
    },
  };
}

/** The end of a process, and with it of its whole group. */
function endOf(child: ChildProcess): Promise<Exit> {
  return new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      // What it had started and left in its group. Later its number may be another's.
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
      resolve({ code, signal });
    });
    child.once('error', () => {
      resolve({ code: 127, signal: null });
    });
  });
}

/** Signal every process of a group; a group that is gone is no error. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // No such group: it has ended, as the caller wanted.
  }
}
