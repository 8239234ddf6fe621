import { join } from 'node:path';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { answerSql, answerToJson } from '../../../core/warehouse/sql/answer';
import { query, temporaryFolder } from './helpers';

const folder = temporaryFolder();
let warehouse: Warehouse;
let connection: SerialConnection;

beforeAll(async () => {
  warehouse = await openWarehouse(join(folder.path, 'w.duckdb'));
  connection = await warehouse.connect();
  await connection.run("INSERT INTO devices VALUES ('d', 's', '1')");
});
afterAll(async () => {
  await warehouse.close();
  folder.remove();
});

describe('a query', () => {
  it('is answered with columns, types and rows', async () => {
    expect(
      await answerSql(
        connection,
        `SELECT 1 AS whole, 1.5 AS decimal, 9007199254740993 AS large, TIMESTAMP '2020-01-01 00:00:00.00025' AS at,
                DATE '2020-01-01' AS day, [1, NULL] AS list, {'a': 1} AS struct, NULL AS nothing, true AS yes, 1 AS whole`,
      ),
    ).toEqual({
      columns: [
        { name: 'whole', type: 'INTEGER' },
        { name: 'decimal', type: 'DECIMAL(2,1)' },
        { name: 'large', type: 'BIGINT' },
        { name: 'at', type: 'TIMESTAMP' },
        { name: 'day', type: 'DATE' },
        { name: 'list', type: 'INTEGER[]' },
        { name: 'struct', type: 'STRUCT("a" INTEGER)' },
        { name: 'nothing', type: expect.any(String) as string },
        { name: 'yes', type: 'BOOLEAN' },
        { name: 'whole:1', type: 'INTEGER' },
      ],
      rows: [
        {
          whole: 1,
          decimal: 1.5,
          large: 9007199254740993n,
          at: '2020-01-01T00:00:00.000250Z',
          day: '2020-01-01',
          list: [1, null],
          struct: { a: 1 },
          nothing: null,
          yes: true,
          'whole:1': 1,
        },
      ],
      truncated: false,
    });
  });

  it('becomes JSON whatever it holds', async () => {
    const answer = await answerSql(
      connection,
      "SELECT 'nan'::DOUBLE AS n, 9007199254740993 AS l, '\\xFF'::BLOB AS b, TIMESTAMP 'infinity' AS i",
    );
    expect(JSON.parse(answerToJson(answer))).toMatchObject({
      rows: [{ n: 'NaN', l: '9007199254740993', b: '\\xFF', i: 'infinity' }],
    });
  });

  it('gets no more rows than wanted, and learns that there are more', async () => {
    const answer = await answerSql(connection, 'SELECT * FROM range(10000)', { maxRows: 3 });
    expect(answer.rows).toHaveLength(3);
    expect(answer.truncated).toBe(true);
    expect((await answerSql(connection, 'SELECT * FROM range(3)', { maxRows: 3 })).truncated).toBe(false);
  });

  it.each([
    'FROM devices',
    'DESCRIBE devices',
    'SHOW TABLES',
    'SUMMARIZE devices',
    'EXPLAIN SELECT 1',
    'VALUES (1)',
    'WITH x AS (SELECT 1) FROM x;',
  ])('may be %s', async (sql) => {
    await expect(answerSql(connection, sql)).resolves.toBeDefined();
  });

  it.each([
    "INSERT INTO devices VALUES ('x', 'y', 'z')",
    'DELETE FROM devices',
    'DROP TABLE devices',
    'CREATE TEMP TABLE t AS SELECT 1',
    'CREATE MACRO m() AS 1',
    'SELECT 1; DROP TABLE devices',
    'EXPLAIN ANALYZE DELETE FROM devices',
    "COPY devices TO '/tmp/fedloop-must-not-be.csv'",
    "ATTACH '/tmp/fedloop-must-not-be.duckdb'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM parquet_metadata('/etc/passwd')",
    "EXPORT DATABASE '/tmp/fedloop-must-not-be'",
    'SET threads = 1',
    'SET GLOBAL enable_external_access = true',
    'RESET lock_configuration',
    'PRAGMA threads = 1',
    'PRAGMA enable_profiling',
    'LOAD json',
    'INSTALL httpfs',
    'CALL force_checkpoint()',
    'FROM force_checkpoint()',
    'CHECKPOINT',
    'BEGIN',
    'COMMIT',
    'USE memory',
    'VACUUM',
    'PREPARE p AS SELECT 1',
    'SELECT $1',
    '',
    'SELEC 1',
    'SELECT * FROM nowhere',
  ])('is refused as %s', async (sql) => {
    await expect(answerSql(connection, sql)).rejects.toMatchObject({ code: 'InvalidInput' });
    expect(await query(connection, 'SELECT count(*) AS n FROM devices')).toEqual([{ n: 1 }]);
    expect(await query(connection, "SELECT current_setting('enable_external_access') AS access")).toEqual([
      { access: false },
    ]);
  });
});
