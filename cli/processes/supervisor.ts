import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { FedloopError } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { packageFile } from '../shared/package-root';

/**
 * The command's side of `bin/supervisor.js`, a separate process that kills every process group on its list when this process is
 * gone. It never keeps this process alive.
 */
export class Supervisor {
  private readonly waiting: (() => void)[] = [];
  /** Resolves when it was killed: it never ends before this process. */
  readonly ended: Promise<void>;

  private constructor(
    private readonly process: ChildProcessWithoutNullStreams,
    private readonly answers: Interface,
  ) {
    this.ended = new Promise((resolve) => {
      this.process.once('exit', () => {
        resolve();
      });
    });
    this.answers.on('line', () => this.waiting.shift()?.());
    // A supervisor that is gone sends no answer: without this, callers would wait for ever.
    this.answers.on('close', () => {
      for (const answered of this.waiting.splice(0)) answered();
    });
    this.process.stdin.on('error', () => undefined);
  }

  static start(): Supervisor {
    const child = spawn(
      process.execPath,
      [packageFile('bin', 'supervisor.js'), String(LIMITS.supervisorGraceMillis)],
      {
        // Its own session: signals from the terminal to the command's group must not reach it.
        detached: true,
        stdio: ['pipe', 'pipe', 'pipe'],
      },
    );
    child.unref();
    for (const stream of [child.stdin, child.stdout, child.stderr]) unref(stream);
    return new Supervisor(child, createInterface({ input: child.stdout }));
  }

  get alive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /**
   * Watch over the process group; resolves once the supervisor knows it.
   * @throws FedloopError `Internal` when the supervisor is gone: starting anything then could leave it behind.
   */
  async watch(group: number): Promise<void> {
    await this.send(`+${group}`);
    if (!this.alive)
      throw new FedloopError('Internal', 'the process that supervises the started servers was killed');
  }

  async forget(group: number): Promise<void> {
    await this.send(`-${group}`);
  }

  private async send(line: string): Promise<void> {
    if (!this.alive) return;
    await new Promise<void>((resolve) => {
      this.waiting.push(resolve);
      this.process.stdin.write(`${line}\n`);
    });
  }
}

/** The streams of a spawned process are sockets; Node's types do not show it. */
function unref(stream: unknown): void {
  if (stream instanceof Socket) stream.unref();
}
