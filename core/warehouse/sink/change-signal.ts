import { FedloopError } from '../../contracts/errors';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** The wait then ends with `undefined`. */
  readonly timeoutMillis?: number;
}

/** A condition over the tables: wakes its waiters after every change. */
export class ChangeSignal {
  private readonly waiting = new Set<() => void>();

  notify(): void {
    for (const wake of [...this.waiting]) wake();
  }

  /**
   * Call `check` after every change until it has a result.
   * @returns undefined when the time-out came first.
   * @throws FedloopError `Interrupted` when `signal` aborts.
   */
  async waitFor<Result>(
    check: () => Promise<Result | undefined>,
    options: WaitOptions = {},
  ): Promise<Result | undefined> {
    const { signal, timeoutMillis } = options;
    const expiry = timeoutMillis === undefined ? undefined : AbortSignal.timeout(timeoutMillis);
    for (;;) {
      if (signal?.aborted === true) throw new FedloopError('Interrupted', 'the wait was cancelled');
      // Listen before the check, so that no change in between is missed.
      const change = this.next([signal, expiry]);
      try {
        const result = await check();
        if (result !== undefined) return result;
        if (expiry?.aborted === true) return undefined;
        await change.happened;
      } finally {
        change.stop();
      }
    }
  }

  private next(signals: readonly (AbortSignal | undefined)[]): { happened: Promise<void>; stop: () => void } {
    let wake = (): void => undefined;
    const happened = new Promise<void>((resolve) => {
      wake = resolve;
    });
    this.waiting.add(wake);
    for (const signal of signals) signal?.addEventListener('abort', wake, { once: true });
    return {
      happened,
      stop: () => {
        this.waiting.delete(wake);
        for (const signal of signals) signal?.removeEventListener('abort', wake);
      },
    };
  }
}
