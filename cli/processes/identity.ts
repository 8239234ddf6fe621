import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** A process by its number and its start: the system gives the numbers of ended processes to others. */
export interface ProcessId {
  readonly pid: number;
  /** As `startOf` had it while the process was known to be ours; null where nobody looked: then it is taken for nobody's. */
  readonly started: string | null;
}

/** `frozen`: stopped by a signal (SIGSTOP) or a debugger; it does nothing until it is continued. */
export type ProcessState = 'running' | 'frozen' | 'gone';

interface Seen {
  readonly started: string;
  readonly state: ProcessState;
}

/** When a process was started, as a text that only compares; null when there is none of that number. */
export function startOf(pid: number): string | null {
  return look(pid)?.started ?? null;
}

/** The process itself, and no other that has its number by now. */
export function stateOf({ pid, started }: ProcessId): ProcessState {
  const seen = started === null ? undefined : look(pid);
  if (seen === undefined) return 'gone';
  return seen.started === started ? seen.state : 'gone';
}

export function isAlive(known: ProcessId): boolean {
  return stateOf(known) !== 'gone';
}

/**
 * Signal the process, or with `group` all of the group that it leads, unless its number belongs to another one by now.
 * @returns `refused` for a process of another user.
 */
export function signalProcess(
  known: ProcessId,
  signal: NodeJS.Signals,
  whole: 'process' | 'group' = 'process',
): 'sent' | 'gone' | 'refused' {
  // Nothing comes between the look and the signal but the kernel.
  if (!isAlive(known)) return 'gone';
  try {
    process.kill(whole === 'group' ? -known.pid : known.pid, signal);
    return 'sent';
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EPERM' ? 'refused' : 'gone';
  }
}

const HAS_PROC = existsSync('/proc/self/stat');

/** @returns undefined for one that has ended, also while its parent does not know yet. */
function look(pid: number): Seen | undefined {
  const seen = HAS_PROC ? lookIntoProc(pid) : askPs(pid);
  return seen?.state === 'gone' ? undefined : seen;
}

/** Behind the name in brackets (which may hold anything): the state is the 3rd field, the start the 22nd, in ticks since the boot. */
function lookIntoProc(pid: number): Seen | undefined {
  const stat = textOf(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state = ''] = fields;
  return { started: `${fields[19] ?? ''}@${bootId()}`, state: stateOfLetter(state) };
}

function stateOfLetter(letter: string): ProcessState {
  // A zombie has ended, and only its parent does not know yet.
  if (letter.startsWith('Z') || letter.startsWith('X')) return 'gone';
  return /^[Tt]/.test(letter) ? 'frozen' : 'running';
}

/** Two boots count the same ticks. */
function bootId(): string {
  boot ??= textOf('/proc/sys/kernel/random/boot_id')?.trim() ?? '';
  return boot;
}
let boot: string | undefined;

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Where there is no `/proc`, as on macOS. */
function askPs(pid: number): Seen | undefined {
  try {
    const printed = execFileSync('ps', ['-o', 'stat=', '-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
    return parsePs(printed);
  } catch {
    return undefined;
  }
}

/** `S+   Fri Nov 27 22:34:31 2026`. */
export function parsePs(printed: string): Seen | undefined {
  const match = /^(\S+)\s+(\S.*)$/.exec(printed);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { started: match[2].replace(/\s+/g, ' '), state: stateOfLetter(match[1]) };
}
