import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { type Readable, type Writable } from 'node:stream';
import { parseJson } from '../../contracts/validation';
import { READER_DATA_KB } from '../limits';
import { replyHeadSchema, type ReaderRequest, type ReplyHead } from './protocol';

export interface Reply {
  readonly outcome: ReplyHead['outcome'];
  readonly body: Buffer;
}

/** Set by the system, which then refuses memory; DuckDB makes an error of that. A shell that lacks it starts the reader all the same. */
const LIMITED = 'ulimit -d "$1" 2>/dev/null; shift; exec "$@"';

/** A shell that ran a program which a signal ended says so by an exit code from here on. */
const SIGNALLED_BY_SHELL = 128;

/** One process that answers queries, one at a time. */
export class Reader {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private waiting: ((reply: Reply | undefined) => void) | undefined;
  private received: Buffer[] = [];
  private head: ReplyHead | undefined;
  private isGone = false;
  private isDemoted = false;
  /** Its exit code, once it ended by itself; a reader that memory was refused is ended by a signal. */
  exitCode: number | undefined;
  /** After the process has ended and its folder is removed. */
  readonly ended: Promise<void>;

  constructor(file: string, folder: string, state: readonly string[] = []) {
    const run = [
      '-c',
      LIMITED,
      'fedloop-reader',
      String(READER_DATA_KB),
      process.execPath,
      program(),
      file,
      folder,
      ...state,
    ];
    this.child = spawn('/bin/sh', run, { stdio: ['pipe', 'pipe', 'ignore'] });
    this.child.stdout.on('data', (bytes: Buffer) => {
      this.receive(bytes);
    });
    // A reader that was killed while it was asked says so by its end.
    this.child.stdin.on('error', () => undefined);
    this.ended = new Promise<void>((resolve) => {
      const end = (code?: unknown): void => {
        this.isGone = true;
        if (typeof code === 'number' && code < SIGNALLED_BY_SHELL) this.exitCode = code;
        this.settle(undefined);
        resolve(rm(folder, { recursive: true, force: true }));
      };
      this.child.once('close', end);
      this.child.once('error', end);
    });
  }

  get isAlive(): boolean {
    return !this.isGone;
  }

  /** @returns undefined when the process ended without a reply. */
  ask(request: ReaderRequest): Promise<Reply | undefined> {
    return new Promise((resolve) => {
      if (this.isGone) {
        resolve(undefined);
        return;
      }
      this.waiting = resolve;
      this.child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  /** Processor time of all threads so far; 0 where the system does not tell. */
  async processorMillis(): Promise<number> {
    const stat = await readFile(`/proc/${this.child.pid ?? 0}/stat`, 'utf8').catch(() => '');
    // Behind the name in brackets: the 12th and 13th field, in hundredths of a second.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return 10 * (Number(fields[11] ?? 0) + Number(fields[12] ?? 0));
  }

  /** Lower its priority for good: a process cannot raise it again. Linux keeps one a thread. */
  async demote(): Promise<void> {
    const { pid } = this.child;
    if (pid === undefined || this.isGone || this.isDemoted) return;
    this.isDemoted = true;
    const threads = await readdir(`/proc/${pid}/task`).catch(() => [String(pid)]);
    for (const thread of threads) {
      try {
        setPriority(Number(thread), constants.priority.PRIORITY_LOW);
      } catch {
        // The thread has ended in the meantime.
      }
    }
  }

  /** Whether another query may use it. */
  get isReusable(): boolean {
    return !this.isGone && !this.isDemoted;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Resident memory; 0 where the system does not tell. */
  async residentBytes(): Promise<number> {
    const status = await readFile(`/proc/${this.child.pid ?? 0}/status`, 'utf8').catch(() => '');
    return 1_024 * Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
  }

  private receive(bytes: Buffer): void {
    this.received.push(bytes);
    if (this.head === undefined) {
      const text = Buffer.concat(this.received);
      const end = text.indexOf('\n');
      if (end < 0) return;
      this.head = replyHeadSchema.parse(parseJson(text.subarray(0, end)));
      this.received = [text.subarray(end + 1)];
    }
    const length = this.received.reduce((sum, part) => sum + part.length, 0);
    if (length < this.head.bytes) return;
    const { outcome } = this.head;
    const body = Buffer.concat(this.received);
    this.head = undefined;
    this.received = [];
    this.settle({ outcome, body });
  }

  private settle(reply: Reply | undefined): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.(reply);
  }
}

/** The compiled program, also where sources run. */
function program(): string {
  const beside = join(__dirname, 'reader-process.js');
  return existsSync(beside)
    ? beside
    : join(__dirname, '..', '..', '..', 'dist', 'core', 'warehouse', 'sql', 'reader-process.js');
}
