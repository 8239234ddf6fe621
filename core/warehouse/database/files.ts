import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { quoted } from './query';
import { realFile } from './real-file';
import { warehouseError } from './trouble';
import { SerialConnection } from './connection';

/** Work on a warehouse file as a whole, while no process has it open. */

const tableRow = z.object({ table_name: z.string() });

/**
 * Write the file anew without the space of deleted rows, and replace the old one in one step.
 * @returns its size in bytes before and after.
 * @throws FedloopError `WarehouseBusy`, `WarehouseFailed`; the old file is then as it was.
 */
export async function compactWarehouse(
  path: string,
): Promise<{ readonly before: number; readonly after: number }> {
  const file = await realFile(path);
  const draft = `${file}.compact`;
  const before = (await stat(file)).size;
  await rm(draft, { force: true });
  try {
    await beside(file, 'READ_WRITE', async (connection) => {
      await connection.run('CHECKPOINT warehouse');
      await connection.run(`ATTACH ${quoted(draft)} AS fresh`);
      await connection.run('COPY FROM DATABASE warehouse TO fresh');
      await connection.run('CHECKPOINT fresh');
      await connection.run('DETACH fresh');
    });
    await rename(draft, file);
  } finally {
    await rm(draft, { force: true });
    await rm(`${draft}.wal`, { force: true });
  }
  return { before, after: (await stat(file)).size };
}

interface ExportedTable {
  readonly table: string;
  readonly file: string;
  readonly bytes: number;
}

/**
 * Write every table as a Parquet file of its name to a folder, which must be empty or new.
 * @throws FedloopError `InvalidInput` for a folder that is not empty, `WarehouseBusy`, `WarehouseFailed`
 */
export async function exportWarehouse(path: string, folder: string): Promise<readonly ExportedTable[]> {
  await mkdir(folder, { recursive: true });
  if ((await readdir(folder)).length > 0)
    throw new FedloopError('InvalidInput', `the folder ${folder} is not empty`, {
      hint: 'No file is overwritten: name a new folder.',
    });
  return beside(await realFile(path), 'READ_ONLY', async (connection) => {
    const tables = await connection.rows(
      tableRow,
      "SELECT table_name FROM duckdb_tables() WHERE database_name = 'warehouse' ORDER BY table_name",
    );
    const exported: ExportedTable[] = [];
    for (const { table_name: table } of tables) {
      const file = join(folder, `${table}.parquet`);
      await connection.run(`COPY warehouse."${table}" TO ${quoted(file)} (FORMAT parquet)`);
      exported.push({ table, file, bytes: (await stat(file)).size });
    }
    return exported;
  });
}

/** Work on a file from an instance beside it: the warehouse's own may touch no other file. */
async function beside<Result>(
  file: string,
  mode: 'READ_ONLY' | 'READ_WRITE',
  work: (connection: SerialConnection) => Promise<Result>,
): Promise<Result> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = new SerialConnection(await instance.connect());
  try {
    await connection.run(`ATTACH ${quoted(file)} AS warehouse (${mode})`);
    return await work(connection);
  } catch (cause) {
    if (cause instanceof FedloopError) throw cause;
    const message = messageOf(cause);
    if (/lock/i.test(message))
      throw new FedloopError('WarehouseBusy', `the warehouse ${file} is in use by another process`, {
        hint: 'Stop the system first: `fedloop down`.',
        cause,
      });
    throw warehouseError(file, 'the warehouse cannot be read', cause);
  } finally {
    await connection.close();
    instance.closeSync();
  }
}
