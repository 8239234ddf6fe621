import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { DuckDBInstance } from '@duckdb/node-api';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { SerialConnection } from '../../../core/warehouse/database/connection';
import { queryTarget } from '../../../core/warehouse/queries/target';
import { migrate } from '../../../core/warehouse/database/migrations';
import { MIGRATIONS } from '../../../core/warehouse/database/schema';
import { query, temporaryFolder, withConnection } from './helpers';

const folder = temporaryFolder();
afterAll(() => {
  folder.remove();
});

describe('a warehouse', () => {
  it('keeps its identity and rows when it is opened again, and is not migrated twice', async () => {
    const path = join(folder.path, 'deep', 'er', 'w.duckdb');
    const first = await openWarehouse(path);
    await withConnection(first, (connection) => connection.run("INSERT INTO devices VALUES ('d', 's', '1')"));
    await first.close();
    const second = await openWarehouse(path);
    expect(second.id).toBe(first.id);
    await withConnection(second, async (connection) => {
      expect(await query(connection, 'SELECT device_id FROM devices')).toEqual([{ device_id: 'd' }]);
      await migrate(connection);
      expect(await query(connection, 'SELECT version FROM schema_migrations')).toEqual(
        MIGRATIONS.map(({ version }) => ({ version })),
      );
    });
    await second.close();
  });

  it('that is a copy gets an identity of its own, which it keeps, and leaves the first its own', async () => {
    const [path, copy] = [join(folder.path, 'first.duckdb'), join(folder.path, 'copy.duckdb')];
    const idOf = async (file: string): Promise<string> => {
      const warehouse = await openWarehouse(file);
      await warehouse.close();
      return warehouse.id;
    };
    const first = await idOf(path);
    copyFileSync(path, copy);
    const other = await idOf(copy);
    expect(other).not.toBe(first);
    expect(await idOf(copy)).toBe(other);
    expect(await idOf(path)).toBe(first);
    const renamed = join(folder.path, 'renamed.duckdb');
    renameSync(path, renamed);
    expect(await idOf(renamed)).toBe(first);
  });

  it('runs new migrations on an old file, each once', async () => {
    const path = join(folder.path, 'old.duckdb');
    const warehouse = await openWarehouse(path);
    const added = [
      ...MIGRATIONS,
      { version: 1000, name: 'one more', sql: 'CREATE TABLE one_more (x INTEGER)' },
    ];
    await withConnection(warehouse, async (connection) => {
      await migrate(connection, added);
      await migrate(connection, added);
      expect(await query(connection, 'SELECT count(*) AS n FROM one_more')).toEqual([{ n: 0 }]);
    });
    await warehouse.close();
    await expect(openWarehouse(path)).rejects.toMatchObject({
      code: 'WarehouseFailed',
      message: expect.stringContaining('schema 1000') as string,
    });
  });

  it.each([
    ['vibration', 'sentinel-value'],
    ['value', 'missing-value'],
  ])(
    'calls a number that means no reading by its name of today where the target is %s',
    async (sensor, detail) => {
      const path = join(folder.path, `${sensor}.duckdb`);
      const instance = await DuckDBInstance.create(path);
      const former = new SerialConnection(await instance.connect());
      await migrate(
        former,
        MIGRATIONS.filter(({ version }) => version <= 10),
      );
      await former.run(
        `INSERT INTO stream_settings VALUES (30000000, 0, 0, 0.5, 30000, '{"target": {"sensor": "${sensor}"}}', NULL)`,
      );
      await former.run(
        "INSERT INTO rejected_rows(source, reason, detail) VALUES ('stream', 'malformed', 'missing-value')",
      );
      await former.close();
      instance.closeSync();

      const warehouse = await openWarehouse(path);
      await withConnection(warehouse, async (connection) => {
        expect(await query(connection, 'SELECT detail FROM rejected_rows')).toEqual([{ detail }]);
      });
      await warehouse.close();
    },
  );

  it('keeps the tolerance of a file from when every target was a temperature, and its default target', async () => {
    const path = join(folder.path, 'celsius.duckdb');
    const instance = await DuckDBInstance.create(path);
    const former = new SerialConnection(await instance.connect());
    await migrate(former, MIGRATIONS.slice(0, 6));
    await former.run('INSERT INTO stream_settings VALUES (30000000, 0, 0, 0.5, 30000, NULL, NULL)');
    await former.run("INSERT INTO evaluation_rollups VALUES ('v1', '2020-01-01', 4, 3, 1, 1, 1, 2, 2, 3)");
    await former.close();
    instance.closeSync();

    const warehouse = await openWarehouse(path);
    await withConnection(warehouse, async (connection) => {
      expect(await queryTarget((row, sql) => connection.rows(row, sql))).toEqual({
        ...DEFAULT_TASK.target,
        tolerance: 0.5,
      });
      expect(await query(connection, 'SELECT accuracy FROM model_scoreboard')).toEqual([{ accuracy: 0.75 }]);
    });
    await warehouse.close();
  });

  it('leaves nothing of a migration that fails half-way', async () => {
    const warehouse = await openWarehouse(':memory:');
    const broken = [
      ...MIGRATIONS,
      { version: 1000, name: 'broken', sql: 'CREATE TABLE half (x INTEGER); SELECT * FROM nowhere' },
    ];
    await withConnection(warehouse, async (connection) => {
      await expect(migrate(connection, broken)).rejects.toThrow();
      expect(
        await query(connection, "SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'half'"),
      ).toEqual([{ n: 0 }]);
    });
    await warehouse.close();
  });

  it('says in one sentence that another process owns the file, and which', async () => {
    const path = join(folder.path, 'busy.duckdb');
    const warehouse = await openWarehouse(path);
    const script = `require('@duckdb/node-api').DuckDBInstance.create(process.argv[1]).catch((e) => console.log(e.message))`;
    const other = spawnSync(process.execPath, ['-e', script, path], { encoding: 'utf8' });
    expect(other.stdout).toContain('Conflicting lock');
    await expect(openWarehouse(path)).rejects.toMatchObject({ code: 'WarehouseBusy' });
    await warehouse.close();

    const holder = `require('@duckdb/node-api').DuckDBInstance.create(process.argv[1]).then(() => { console.log('open'); setInterval(() => {}, 1000); })`;
    const child = spawn(process.execPath, ['-e', holder, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await expect(openWarehouse(path)).rejects.toMatchObject({
      code: 'WarehouseBusy',
      message: expect.stringContaining(`process ${child.pid}`) as string,
    });
    child.kill('SIGKILL');
    // Two processes start in it.
  }, 30_000);

  it('keeps its write-ahead log short, which every query of another process reads anew', async () => {
    const path = join(folder.path, 'short-log.duckdb');
    const warehouse = await openWarehouse(path);
    let longest = 0;
    await withConnection(warehouse, async (connection) => {
      for (let commit = 0; commit < 60; commit += 1) {
        await connection.run(
          `INSERT INTO devices SELECT 'd' || range || '-${commit}', repeat('x', 200), '1' FROM range(500)`,
        );
        longest = Math.max(longest, statSync(`${path}.wal`, { throwIfNoEntry: false })?.size ?? 0);
      }
    });
    await warehouse.close();
    expect(longest).toBeLessThan(3_000_000);
  });

  it('shows UTC whatever the zone of the machine', async () => {
    const warehouse = await openWarehouse(':memory:');
    await withConnection(warehouse, async (connection) => {
      expect(await query(connection, "SELECT current_setting('TimeZone') AS zone")).toEqual([
        { zone: 'UTC' },
      ]);
    });
    await warehouse.close();
  });

  it('names a path that cannot hold it', async () => {
    writeFileSync(join(folder.path, 'file'), '');
    await expect(openWarehouse(join(folder.path, 'file', 'w.duckdb'))).rejects.toMatchObject({
      code: 'WarehouseFailed',
    });
  });
});

describe('one connection', () => {
  it('takes calls one after the other, and a transaction alone', async () => {
    const warehouse = await openWarehouse(':memory:');
    await withConnection(warehouse, async (connection) => {
      await connection.run('CREATE TABLE t (x INTEGER)');
      const inTransaction = connection.transaction(async (inside) => {
        await inside.run('INSERT INTO t VALUES (1)');
        await inside.run('INSERT INTO t VALUES (2)');
      });
      const rows = query(connection, 'SELECT count(*) AS n FROM t');
      await Promise.all([
        inTransaction,
        ...Array.from({ length: 50 }, () => connection.run('INSERT INTO t VALUES (3)')),
      ]);
      expect(await rows).toEqual([{ n: 2 }]);
    });
    await warehouse.close();
  });

  it('rolls back on any error and throws it on', async () => {
    const warehouse = await openWarehouse(':memory:');
    await withConnection(warehouse, async (connection) => {
      await connection.run('CREATE TABLE t (x INTEGER PRIMARY KEY)');
      await expect(
        connection.transaction(async (inside) => {
          await inside.run('INSERT INTO t VALUES (1)');
          await inside.run('INSERT INTO t VALUES (1)');
        }),
      ).rejects.toThrow();
      expect(await query(connection, 'SELECT count(*) AS n FROM t')).toEqual([{ n: 0 }]);
    });
    await warehouse.close();
  });
});
