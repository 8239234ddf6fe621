import { setTimeout as sleep } from 'node:timers/promises';
import { FedloopError } from '../../core/contracts/errors';

/** Call `check` repeatedly until it returns something. @returns undefined when time is up. */
export async function poll<Answer>(
  check: () => Promise<Answer | undefined>,
  options: {
    readonly everyMillis: number;
    readonly timeoutMillis: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Answer | undefined> {
  const deadline = performance.now() + options.timeoutMillis;
  for (;;) {
    options.signal?.throwIfAborted();
    const answer = await check();
    if (answer !== undefined) return answer;
    if (performance.now() >= deadline) return undefined;
    await sleep(options.everyMillis);
  }
}

/** The error that stands for Ctrl-C. */
export function interrupted(): FedloopError {
  return new FedloopError('Interrupted', 'stopped');
}

/** The work's result, or a rejection with the signal's reason as soon as it is aborted; the work then goes on in the background. */
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
