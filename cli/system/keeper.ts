import { setTimeout as sleep } from 'node:timers/promises';
import { FedloopError, messageWithHint } from '../../core/contracts/errors';
import { type Child } from '../processes/child';
import { type ProcessId } from '../processes/identity';
import { LIMITS } from '../shared/limits';
import { type SystemProcess } from './running';
import { unexpectedEnd } from './worker-process';

type KeeperLimits = Readonly<Record<'restartMillis' | 'longestRestartMillis' | 'steadyMillis', number>>;

interface KeeperOptions {
  /** Says what has ended and that it is started again. */
  readonly note: (line: string) => void;
  /** After each end and each new start. */
  readonly onChange: () => Promise<void>;
  readonly limits?: KeeperLimits;
}

/** A process that is kept running. */
interface Kept {
  readonly name: string;
  readonly again: () => Promise<Child>;
  id: ProcessId;
  restarts: number;
  trouble: string | null;
}

/**
 * Keeps the processes of a system running: one that ends is started again, at once if it had worked for a while, else with growing
 * delays, for ever. No end of one stops the others: they wait for it, as they do for a server elsewhere.
 */
export class Keeper {
  private readonly kept: Kept[] = [];
  private readonly stopped = new AbortController();
  private readonly limits: KeeperLimits;

  constructor(private readonly options: KeeperOptions) {
    this.limits = options.limits ?? LIMITS;
  }

  /**
   * @param first what runs already, or why it could not be started yet.
   * @param again starts it anew.
   */
  keep(name: string, first: Child | FedloopError, again: () => Promise<Child>): void {
    const isThere = !(first instanceof FedloopError);
    const kept: Kept = {
      name,
      again,
      id: isThere ? first.id : NOBODY,
      restarts: 0,
      trouble: isThere ? null : messageWithHint(first),
    };
    this.kept.push(kept);
    void this.hold(kept, isThere ? first : undefined);
  }

  /** What is kept, in the order of its starts. */
  get processes(): readonly SystemProcess[] {
    return this.kept.map(({ name, id, restarts, trouble }) => ({ name, ...id, restarts, trouble }));
  }

  /** Start nothing more. What runs goes on. */
  stop(): void {
    this.stopped.abort();
  }

  private async hold(kept: Kept, first: Child | undefined): Promise<void> {
    let child = first;
    let failures = child === undefined ? 1 : 0;
    while (!this.isStopped()) {
      if (child === undefined) {
        await this.pause(restartDelay(failures, this.limits));
        if (this.isStopped()) return;
        child = await this.startAgain(kept, failures);
        if (child === undefined) failures += 1;
        continue;
      }
      const began = performance.now();
      await child.ended;
      if (this.isStopped()) return;
      failures = performance.now() - began < this.limits.steadyMillis ? failures + 1 : 0;
      await this.report(kept, await unexpectedEnd(child), failures);
      child = undefined;
    }
  }

  /** @returns undefined when it could not be started. */
  private async startAgain(kept: Kept, failures: number): Promise<Child | undefined> {
    try {
      const child = await kept.again();
      kept.id = child.id;
      kept.restarts += 1;
      kept.trouble = null;
      await this.options.onChange();
      return child;
    } catch (cause) {
      if (!this.isStopped()) await this.report(kept, cause, failures + 1);
      return undefined;
    }
  }

  private async report(kept: Kept, cause: unknown, failures: number): Promise<void> {
    const trouble = messageWithHint(cause);
    const isNew = trouble !== kept.trouble;
    kept.trouble = trouble;
    await this.options.onChange();
    if (isNew)
      this.options.note(
        `${trouble}${trouble.endsWith('.') ? '' : '.'} It is started again ${inTime(restartDelay(failures, this.limits))}.`,
      );
  }

  private async pause(millis: number): Promise<void> {
    await sleep(millis, undefined, { signal: this.stopped.signal }).catch(() => undefined);
  }

  /** A method, so that the compiler does not believe it unchanged across an await. */
  private isStopped(): boolean {
    return this.stopped.signal.aborted;
  }
}

function inTime(millis: number): string {
  return millis === 0 ? 'at once' : `in ${millis / 1_000} s, and as often as it takes`;
}

/** For what has not run yet: a number that no process has. */
const NOBODY: ProcessId = { pid: 0x7fffffff, started: null };

/** Pause before a start: none after a process that had worked, then twice as long after each one that failed. */
export function restartDelay(
  failures: number,
  { restartMillis, longestRestartMillis }: Omit<KeeperLimits, 'steadyMillis'>,
): number {
  return failures === 0 ? 0 : Math.min(longestRestartMillis, restartMillis * 2 ** (failures - 1));
}
