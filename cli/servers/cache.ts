import { dirname, join, resolve } from 'node:path';
import { lock } from 'proper-lockfile';
import { FedloopError } from '../../core/contracts/errors';
import { machineError, machineSentence } from '../../core/contracts/machine-trouble';
import { makeFolder } from '../../core/platform/make-folder';
import { LIMITS } from '../shared/limits';

/** Folder of obtained servers: FEDLOOP_CACHE, or `.fedloop` in the working folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const named = env['FEDLOOP_CACHE'];
  return resolve(named === undefined || named === '' ? '.fedloop' : named);
}

/**
 * Obtain something once, also if several commands need it at the same time: the first one obtains it, the others wait and find
 * it. The lock of a killed command is taken over.
 * @param find returns what exists already, or undefined.
 */
export async function obtainOnce<Found>(options: {
  readonly cache: string;
  readonly name: string;
  readonly find: () => Promise<Found | undefined>;
  readonly obtain: () => Promise<Found>;
  readonly onWait: () => void;
}): Promise<Found> {
  const there = await options.find();
  if (there !== undefined) return there;
  await makeFolder(options.cache).catch((cause: unknown) => {
    throw cacheError(options.cache, cause);
  });
  const release = await acquire(join(options.cache, options.name), options.onWait);
  try {
    return (await options.find()) ?? (await options.obtain());
  } finally {
    // Fails if another command has taken over the lock.
    await release().catch(() => undefined);
  }
}

async function acquire(path: string, onWait: () => void): Promise<() => Promise<void>> {
  const settings = { realpath: false, stale: LIMITS.lockStaleMillis, onCompromised: () => undefined };
  try {
    return await lock(path, settings);
  } catch (cause) {
    if (machineSentence(cause, path) !== undefined) throw cacheError(dirname(path), cause);
    onWait();
  }
  const retries = {
    retries: Math.ceil(LIMITS.lockWaitMillis / LIMITS.lockPollMillis),
    factor: 1,
    minTimeout: LIMITS.lockPollMillis,
    maxTimeout: LIMITS.lockPollMillis,
  };
  try {
    return await lock(path, { ...settings, retries });
  } catch (cause) {
    throw new FedloopError(
      'ServerUnavailable',
      `another fedloop command has held ${path}.lock for too long`,
      {
        hint: 'Stop the other command, or delete the lock if there is none.',
        cause,
      },
    );
  }
}

function cacheError(cache: string, cause: unknown): FedloopError {
  return machineError('InvalidConfig', cause, `the cache ${cache}`, `the cache ${cache} cannot be used`);
}
