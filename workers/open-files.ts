import { readFile } from 'node:fs/promises';
import { FedloopError } from '../core/contracts/errors';

/** A worker has up to 60 files and connections open; with fewer than it needs DuckDB ends the process without a word that helps. */
const MIN_OPEN_FILES = 128;

/**
 * @throws FedloopError `InvalidConfig` where too few files may be open at once. Systems without `/proc` are not looked at.
 */
export async function requireOpenFiles(): Promise<void> {
  const limits = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  const allowed = openFilesIn(limits);
  if (allowed === undefined || allowed >= MIN_OPEN_FILES) return;
  throw new FedloopError(
    'InvalidConfig',
    `a worker needs ${MIN_OPEN_FILES} open files, and this one may have ${allowed}`,
    { hint: 'Raise the limit: `ulimit -n 4096`.' },
  );
}

/** The soft limit; undefined where none is set, or none is said. */
export function openFilesIn(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
