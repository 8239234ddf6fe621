import { setTimeout as sleep } from 'node:timers/promises';
import { FedloopError } from '../../core/contracts/errors';

/** Ask again and again until the answer is not undefined, or time is up (undefined). */
export async function poll<Answer>(
  ask: () => Promise<Answer | undefined>,
  options: {
    readonly everyMillis: number;
    readonly timeoutMillis: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Answer | undefined> {
  const deadline = performance.now() + options.timeoutMillis;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await sleep(options.everyMillis);
  }
}

/** What a Ctrl-C is to those who wait. */
export function interrupted(): FedloopError {
  return new FedloopError('Interrupted', 'stopped');
}

/** The work's result, or the signal's reason as soon as it comes; the work itself is left to end unheard. */
export async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(signal.reason instanceof Error ? signal.reason : interrupted());
    };
    signal.addEventListener('abort', stop, { once: true });
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
