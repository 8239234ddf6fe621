import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { machineError } from '../../core/contracts/machine-trouble';
import { parseJson } from '../../core/contracts/validation';
import { LIMITS } from '../shared/limits';
import { isAlive } from './running';

const claimSchema = z.object({ pid: z.int().positive(), id: z.string() });

/**
 * Keep a folder for the system of this process, from before its servers start: a second system that goes on with the same run would write into
 * the first one's files. A claim ends with its process, also when that is killed.
 * @returns how to give the folder free again.
 * @throws FedloopError `ServerUnavailable` while another system has it, `InvalidInput` when nothing can be written there.
 */
export async function claimFolder(folder: string, id: string): Promise<() => Promise<void>> {
  const state = join(folder, '.fedloop');
  const path = join(state, 'claim.json');
  let unlock: () => Promise<void>;
  try {
    await mkdir(state, { recursive: true });
    unlock = await lock(path, {
      realpath: false,
      stale: LIMITS.lockStaleMillis,
      onCompromised: () => undefined,
      retries: {
        retries: Math.ceil(LIMITS.lockStaleMillis / LIMITS.lockPollMillis),
        factor: 1,
        minTimeout: LIMITS.lockPollMillis,
        maxTimeout: LIMITS.lockPollMillis,
      },
    });
  } catch (cause) {
    throw machineError('InvalidInput', cause, state, `the folder ${folder} cannot be used for a system`);
  }
  try {
    const claim = claimSchema.safeParse(parseJson(await readFile(path, 'utf8').catch(() => '')));
    if (claim.success && claim.data.pid !== process.pid && isAlive(claim.data.pid)) {
      const { pid, id: other } = claim.data;
      throw new FedloopError(
        'ServerUnavailable',
        `a system is starting or running in this folder already (run ${other}, process ${pid})`,
        { hint: 'Stop it with `fedloop down` or Ctrl-C, or work in another folder.' },
      );
    }
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, JSON.stringify({ pid: process.pid, id }));
    await rename(draft, path);
  } catch (cause) {
    if (cause instanceof FedloopError) throw cause;
    throw machineError('InvalidInput', cause, state, `the folder ${folder} cannot be used for a system`);
  } finally {
    // Fails if another command has taken over the lock.
    await unlock().catch(() => undefined);
  }
  return () => rm(path, { force: true }).catch(() => undefined);
}
