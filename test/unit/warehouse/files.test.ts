import { lstat, readdir, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { compactWarehouse, exportWarehouse } from '../../../core/warehouse/database/files';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { openToRead } from '../../../core/warehouse/database/open-to-read';
import { Readers } from '../../../core/warehouse/sql/readers';
import { Sink } from '../../../core/warehouse/sink/sink';
import {
  agreeOnSettings,
  query,
  batch,
  evaluationBlock,
  record,
  temporaryFolder,
  withConnection,
} from './helpers';

let folder: ReturnType<typeof temporaryFolder>;
let file: string;
beforeEach(async () => {
  folder = temporaryFolder();
  file = join(folder.path, "it's.duckdb");
  const warehouse = await openWarehouse(file);
  await withConnection(warehouse, async (connection) => {
    await agreeOnSettings(connection);
    const sink = await Sink.open(connection);
    const rows = Array.from({ length: 200 }, (_, index) => ({
      version: 'v0',
      device: `d${index}`,
      error: index / 100,
    }));
    await sink.store([batch('evaluations', 0, [record(0, evaluationBlock({ window: 0 }, rows))])]);
  });
  await warehouse.close();
});
afterEach(() => {
  folder.remove();
});

const scoreboard = async (): Promise<Record<string, unknown>[]> => {
  const warehouse = await openWarehouse(file);
  try {
    return await withConnection(warehouse, (connection) =>
      query(connection, 'SELECT * FROM model_scoreboard'),
    );
  } finally {
    await warehouse.close();
  }
};

describe('a warehouse behind a link, as one that was moved to a larger disk', () => {
  it('is written, read, asked and compacted where it lies, and the link stays', async () => {
    const before = await scoreboard();
    const lies = join(folder.path, 'large.db');
    await rename(file, lies);
    await symlink(lies, file);
    expect(await scoreboard()).toEqual(before);
    const sql = 'SELECT count(*)::INT AS n FROM model_evaluations';
    const atRest = await openToRead(file);
    const connection = await atRest.connect();
    expect(await query(connection, sql)).toEqual([{ n: 200 }]);
    const readers = await Readers.atRest(atRest);
    expect(JSON.parse((await readers.ask({ sql, maxRows: 1 })).toString())).toMatchObject({
      rows: [{ n: 200 }],
    });
    await readers.close();
    await atRest.close();
    await compactWarehouse(file);
    expect((await lstat(file)).isSymbolicLink()).toBe(true);
    expect(await scoreboard()).toEqual(before);
  });
});

describe('a warehouse at rest', () => {
  it('answers the same after it was compacted, and nothing lies beside it', async () => {
    const before = await scoreboard();
    expect(before).toHaveLength(1);
    await compactWarehouse(file);
    expect(await scoreboard()).toEqual(before);
    expect(await readdir(folder.path)).toEqual(["it's.duckdb"]);
  });

  it('leaves every table as a Parquet file that other tools read', async () => {
    const target = join(folder.path, 'export');
    const tables = await exportWarehouse(file, target);
    expect(tables.map(({ table }) => table)).toContain('evaluation_rows');
    const other = await DuckDBInstance.create(':memory:');
    const reader = await (
      await other.connect()
    ).runAndReadAll(
      `SELECT count(*)::INTEGER FROM read_parquet('${target.replaceAll("'", "''")}/evaluation_rows.parquet')`,
    );
    expect(reader.getRows()).toEqual([[200]]);
    other.closeSync();
  });

  it('is exported over nothing that is there already', async () => {
    await expect(exportWarehouse(file, folder.path)).rejects.toMatchObject({ code: 'InvalidInput' });
  });

  it('that does not exist is not taken for an empty one', async () => {
    const missing = join(folder.path, 'none', 'warehouse.duckdb');
    await expect(exportWarehouse(missing, join(folder.path, 'export'))).rejects.toMatchObject({
      code: 'WarehouseFailed',
    });
  });
});
