import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { z } from 'zod';
import { queryFile, withFile } from '../../../cli/query/query-file';
import { SerialConnection } from '../../../core/warehouse/database/connection';
import { migrate } from '../../../core/warehouse/database/migrations';
import { MIGRATIONS } from '../../../core/warehouse/database/schema';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { openToRead } from '../../../core/warehouse/database/open-to-read';
import { describeWith, MOUNT } from '../../support/requirements';
import { SmallDisk } from '../../support/small-disk';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-at-rest-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const signal = new AbortController().signal;
const COUNT = 'SELECT count(*)::INTEGER AS n FROM model_scoreboard';
const countRow = z.object({ n: z.number() });

async function warehouseIn(place: string): Promise<string> {
  const file = join(place, 'warehouse.duckdb');
  await (await openWarehouse(file)).close();
  return file;
}

describe('a warehouse at rest', () => {
  it('is read by several at once, and nothing is written beside it', async () => {
    const file = await warehouseIn(folder);
    const before = readdirSync(folder);
    const other = await openToRead(file);
    const answers = await Promise.all([
      queryFile(file, COUNT, signal),
      queryFile(file, COUNT, signal),
      withFile(file, (query) => query(countRow, COUNT)),
    ]);
    await other.close();
    expect(answers.map((answer) => ('rows' in answer ? answer.rows : answer))).toEqual(
      Array.from({ length: 3 }, () => [{ n: 0 }]),
    );
    expect(readdirSync(folder)).toEqual(before);
  });

  it('is brought up to date first when an earlier release has written it', async () => {
    const file = join(folder, 'warehouse.duckdb');
    const instance = await DuckDBInstance.create(file);
    const connection = new SerialConnection(await instance.connect());
    await migrate(connection, MIGRATIONS.slice(0, -1));
    await connection.close();
    instance.closeSync();
    expect((await queryFile(file, COUNT, signal)).rows).toEqual([{ n: 0 }]);
  });

  it('is refused when a later release has written it', async () => {
    const file = join(folder, 'warehouse.duckdb');
    const warehouse = await openWarehouse(file);
    await (await warehouse.connect()).run("INSERT INTO schema_migrations VALUES (999, 'of tomorrow')");
    await warehouse.close();
    await expect(openToRead(file)).rejects.toMatchObject({
      code: 'WarehouseFailed',
      message: expect.stringContaining('the warehouse has schema 999') as unknown,
    });
  });
});

describeWith(MOUNT, 'a warehouse on a read-only disk', () => {
  it('is read, with what its write-ahead log holds', async () => {
    const disk = SmallDisk.mount(join(folder, 'disk'), 64);
    try {
      mkdirSync(join(disk.folder, 'run'));
      const file = await warehouseIn(join(disk.folder, 'run'));
      chmodSync(file, 0o444);
      disk.remount('ro');
      expect((await queryFile(file, COUNT, signal)).rows).toEqual([{ n: 0 }]);
      expect(await withFile(file, (query) => query(countRow, COUNT))).toEqual([{ n: 0 }]);
    } finally {
      disk.unmount();
    }
  });
});
