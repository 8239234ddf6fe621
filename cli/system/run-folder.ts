import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { machineSentence } from '../../core/contracts/machine-trouble';
import { makeFolder } from '../../core/platform/make-folder';

/** Name of the warehouse in a run's folder. */
export const WAREHOUSE_FILE = 'warehouse.duckdb';

/** Paths of one run. */
export interface RunFolder {
  readonly id: string;
  readonly path: string;
  readonly logs: string;
  /** Data of the servers that the run has started. */
  readonly servers: string;
  readonly warehouse: string;
  readonly processed: string;
  readonly models: string;
  readonly summary: string;
  readonly report: string;
}

/** `20260102-030405-1a2b`: sorts by time; the process id keeps two runs of one second apart. */
export function runId(at: Date, pid: number): string {
  const digits = at.toISOString().replace(/\D/g, '');
  return `${digits.slice(0, 8)}-${digits.slice(8, 14)}-${(pid % 0x10000).toString(16).padStart(4, '0')}`;
}

export function runFolder(folder: string, id: string): RunFolder {
  const path = join(folder, 'runs', id);
  return {
    id,
    path,
    logs: join(path, 'logs'),
    servers: join(path, 'servers'),
    warehouse: join(path, WAREHOUSE_FILE),
    processed: join(path, 'processed'),
    models: join(path, 'models'),
    summary: join(path, 'summary.json'),
    report: join(path, 'report.html'),
  };
}

/** @throws FedloopError `InvalidInput` if the folder cannot be written. */
export async function createRunFolder(folder: string, id: string): Promise<RunFolder> {
  const run = runFolder(folder, id);
  try {
    await makeFolder(run.logs);
  } catch (cause) {
    const what = `the run cannot be kept in ${folder}`;
    const said = machineSentence(cause, folder);
    throw new FedloopError('InvalidInput', `${what}: ${said?.message ?? messageOf(cause)}`, {
      hint: said?.hint ?? 'Work in a folder that you may write to; `fedloop doctor` checks it.',
      cause,
    });
  }
  return run;
}

/** Whether a run got as far as its servers: only then is there anything in its folder that somebody may want. */
export async function hasBegun(run: RunFolder): Promise<boolean> {
  return stat(run.servers).then(
    () => true,
    () => false,
  );
}

/** Remove the folder of a run that was refused before it began. */
export async function discardUnbegun(run: RunFolder): Promise<void> {
  if (await hasBegun(run)) return;
  await rm(run.path, { recursive: true, force: true }).catch(() => undefined);
  // With the last of them; any other keeps it.
  await rmdir(dirname(run.path)).catch(() => undefined);
}

/** The latest run that has a warehouse. */
export async function latestRun(folder: string): Promise<RunFolder | undefined> {
  const names = await readdir(join(folder, 'runs')).catch(() => []);
  for (const id of names.sort().reverse()) {
    const run = runFolder(folder, id);
    const there = await stat(run.warehouse).catch(() => undefined);
    if (there?.isFile() === true) return run;
  }
  return undefined;
}

/**
 * The folder of a run that a user names. Only names of our own form become paths.
 * @throws FedloopError `InvalidInput`
 */
export function namedRun(folder: string, id: string): RunFolder {
  const name = id.replace(/^runs\//, '').replace(/\/$/, '');
  if (/^[\w-]+$/.test(name)) return runFolder(folder, name);
  throw new FedloopError('InvalidInput', `${id} is not the name of a run`, {
    hint: 'A run is named like 20260102-030405-1a2b.',
  });
}
