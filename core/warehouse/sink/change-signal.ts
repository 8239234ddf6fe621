import { FedloopError } from '../../contracts/errors';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** After so long the wait ends with `undefined`. */
  readonly timeoutMillis?: number;
}

/** Wakes those who wait for something in the tables to change. */
export class ChangeSignal {
  private readonly waiting = new Set<() => void>();

  notify(): void {
    for (const wake of [...this.waiting]) wake();
  }

  /**
   * Ask again after every change until `check` has an answer.
   * @returns undefined when the time-out came first.
   * @throws FedloopError `Interrupted` when `signal` aborts.
   */
  async waitFor<Result>(
    check: () => Promise<Result | undefined>,
    options: WaitOptions = {},
  ): Promise<Result | undefined> {
    const { signal } = options;
    const expiry =
      options.timeoutMillis === undefined ? undefined : AbortSignal.timeout(options.timeoutMillis);
    for (;;) {
      if (signal?.aborted === true) throw new FedloopError('Interrupted', 'the wait was cancelled');
      // Listen before looking, so that a change in between is not missed.
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
