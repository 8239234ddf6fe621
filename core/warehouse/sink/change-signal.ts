import { FedloopError } from '../../contracts/errors';

export interface WaitOptions {
  readonly signal?: AbortSignal;
  /** The wait then ends with `undefined`. */
  readonly timeoutMillis?: number;
  /** Whether something outside keeps every change away now, such as a broker that does not answer: the time-out then begins anew. */
  readonly isHeldUp?: () => boolean;
}

/** How often a wait looks whether its time is over, or it is held up. */
const LOOK_MS = 1_000;

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
    const expiry = startExpiry(options);
    try {
      return await this.changesUntil(check, expiry.signal, options.signal);
    } finally {
      expiry.stop();
    }
  }

  private async changesUntil<Result>(
    check: () => Promise<Result | undefined>,
    expiry: AbortSignal,
    signal: AbortSignal | undefined,
  ): Promise<Result | undefined> {
    for (;;) {
      if (signal?.aborted === true) throw new FedloopError('Interrupted', 'the wait was cancelled');
      // Listen before the check, so that no change in between is missed.
      const change = this.next([signal, expiry]);
      try {
        const result = await check();
        if (result !== undefined) return result;
        if (expiry.aborted) return undefined;
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

interface Expiry {
  readonly signal: AbortSignal;
  stop(): void;
}

function startExpiry({ timeoutMillis, isHeldUp }: WaitOptions): Expiry {
  const control = new AbortController();
  if (timeoutMillis === undefined) return { signal: control.signal, stop: () => undefined };
  let since = performance.now();
  const look = setInterval(
    () => {
      if (isHeldUp?.() === true) since = performance.now();
      else if (performance.now() - since >= timeoutMillis) control.abort();
    },
    Math.min(LOOK_MS, timeoutMillis),
  );
  return {
    signal: control.signal,
    stop: () => {
      clearInterval(look);
    },
  };
}
