import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { compactWarehouse, exportWarehouse } from '../../../core/warehouse/database/files';
import { openWarehouse } from '../../../core/warehouse/database/open';
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
