import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../../contracts/errors';
import { SerialConnection } from '../database/connection';
import { hasSameLogs, isSame, stateOf, type FileState } from '../database/file-state';
import { READER_MEMORY_LIMIT, READER_SPILL_LIMIT } from '../limits';

/**
 * Read a warehouse that another process writes.
 *
 * DuckDB changes its file at checkpoints alone: it writes new blocks beside those in use, then a header whose `iteration` is one higher, and
 * only later reuses the old blocks. In between, commits go to the write-ahead log. So the file with a copy of the log is what DuckDB
 * would recover after a crash at this moment, and stays readable until the iteration changes. Whoever reads looks at the
 * iteration again afterwards; an answer that a checkpoint may have touched is thrown away.
 */
export interface Snapshot {
  readonly connection: SerialConnection;
  /** Whether the blocks that it refers to are still in place: no checkpoint has ended since it was taken. */
  readonly isIntact: () => Promise<boolean>;
  /** Whether it holds all that is committed by now. */
  readonly isCurrent: () => Promise<boolean>;
  readonly close: () => Promise<void>;
}

/**
 * @param folder beside the file, because a hard link cannot leave its file system; emptied, and used for what spills.
 * @returns undefined when a checkpoint came in between: try again.
 * @throws FedloopError `WarehouseFailed`
 */
export async function takeSnapshot(file: string, folder: string): Promise<Snapshot | undefined> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'warehouse.duckdb');
  const before = await linkWhole(file, path);
  return before === undefined ? undefined : openSnapshot(file, path, folder, before);
}

/** Read a file that nobody writes where it is: nothing has to be linked or copied. @param folder for what spills; emptied. */
export async function readAtRest(file: string, folder: string): Promise<Snapshot> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return openSnapshot(file, file, folder, await stateOf(file));
}

/** @returns the state that the copy has; undefined when a checkpoint came in between. */
async function linkWhole(file: string, path: string): Promise<FileState | undefined> {
  await link(file, path).catch((cause: unknown) => {
    throw new FedloopError(
      'WarehouseFailed',
      `${file} cannot be read beside its writer: ${messageOf(cause)}`,
      {
        hint: 'Keep the warehouse on a file system that has hard links.',
        cause,
      },
    );
  });
  const before = await stateOf(file);
  for (const log of ['.wal', '.wal.checkpoint']) await copyIfThere(`${file}${log}`, `${path}${log}`);
  const after = await stateOf(file);
  return after.iteration === before.iteration && hasSameLogs(before, after) ? before : undefined;
}

async function openSnapshot(
  file: string,
  path: string,
  folder: string,
  before: FileState,
): Promise<Snapshot> {
  const instance = await DuckDBInstance.create(path, {
    access_mode: 'READ_ONLY',
    memory_limit: READER_MEMORY_LIMIT,
    temp_directory: join(folder, 'spilled'),
    max_temp_directory_size: READER_SPILL_LIMIT,
    // Others want the cores: the sink, the stream, other queries.
    threads: '1',
    // The last: it forbids to set the folder for what spills.
    enable_external_access: 'false',
  });
  const connection = new SerialConnection(await instance.connect());
  await connection.run("SET GLOBAL TimeZone = 'UTC'");
  await connection.run('SET GLOBAL lock_configuration = true');
  return {
    connection,
    isIntact: async () => (await stateOf(file)).iteration === before.iteration,
    isCurrent: async () => isSame(before, await stateOf(file)),
    close: async () => {
      await connection.close();
      instance.closeSync();
    },
  };
}

async function copyIfThere(from: string, to: string): Promise<void> {
  await copyFile(from, to).catch((cause: unknown) => {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw cause;
  });
}
