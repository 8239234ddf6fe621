import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { lock } from 'proper-lockfile';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { machineError } from '../../core/contracts/machine-trouble';
import { parseJson } from '../../core/contracts/validation';
import { makeFolder } from '../../core/platform/make-folder';
import { LIMITS } from '../shared/limits';
import { isAlive, startOf } from '../processes/identity';
import { isCopied } from './same-place';

const claimSchema = z.object({
  pid: z.int().positive(),
  /** When that process was started (`startOf`). */
  started: z.string().nullable().default(null),
  id: z.string(),
  /** The claimed folder: a copy of it is not claimed. */
  folder: z.string().optional(),
});

/** As long as the lock of a killed command counts. */
const LOCK_RETRIES = {
  retries: Math.ceil(LIMITS.lockStaleMillis / LIMITS.lockPollMillis),
  factor: 1,
  minTimeout: LIMITS.lockPollMillis,
  maxTimeout: LIMITS.lockPollMillis,
};

/**
 * Keep a folder for the system of this process, from before its servers start: a second system that goes on with the same run would write into
 * the first one's files. A claim ends with its process, also when that is killed.
 * @returns how to give the folder free again.
 * @throws FedloopError `ServerUnavailable` while another system has it, `InvalidInput` when nothing can be written there.
 */
export async function claimFolder(folder: string, id: string): Promise<() => Promise<void>> {
  const state = join(folder, '.fedloop');
  const path = claimIn(folder);
  const draft = `${path}.${process.pid}`;
  let unlock: (() => Promise<void>) | undefined;
  try {
    await makeFolder(state);
    await writeFile(
      draft,
      JSON.stringify({ pid: process.pid, started: startOf(process.pid), id, folder: resolve(folder) }),
    );
    unlock = await lock(path, {
      realpath: false,
      stale: LIMITS.lockStaleMillis,
      onCompromised: () => undefined,
      retries: LOCK_RETRIES,
    });
    await refuseOther(folder);
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined);
    if (cause instanceof FedloopError) throw cause;
    throw machineError('InvalidInput', cause, state, `the folder ${folder} cannot be used for a system`);
  } finally {
    // Fails if another command has taken over the lock.
    await unlock?.().catch(() => undefined);
  }
  return () => rm(path, { force: true }).catch(() => undefined);
}

export type Claim = z.infer<typeof claimSchema>;

/** Whose the folder is: a process that lives, and the run that it keeps up or is about to. */
export async function claimOf(folder: string): Promise<Claim | undefined> {
  const text = await readFile(claimIn(folder), 'utf8').catch(() => '');
  const claim = claimSchema.safeParse(parseJson(text));
  if (!claim.success || !isAlive(claim.data)) return undefined;
  return (await isCopied(claim.data.folder ?? folder, folder)) ? undefined : claim.data;
}

function claimIn(folder: string): string {
  return join(folder, '.fedloop', 'claim.json');
}

/** @throws FedloopError `ServerUnavailable` when the claim is that of another process that lives. */
async function refuseOther(folder: string): Promise<void> {
  const claim = await claimOf(folder);
  if (claim === undefined || claim.pid === process.pid) return;
  const { pid, id } = claim;
  throw new FedloopError(
    'ServerUnavailable',
    `a system is starting or running in this folder already (run ${id}, process ${pid})`,
    { hint: 'Stop it with `fedloop down` or Ctrl-C, or work in another folder.' },
  );
}
