import { join } from 'node:path';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { answerSql } from '../../../core/warehouse/sql/answer';
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

interface Answer {
  readonly columns: readonly unknown[];
  readonly rows: readonly unknown[];
  readonly truncated: boolean;
}

async function answerTo(sql: string, maxRows?: number): Promise<Answer> {
  return JSON.parse(await answerSql(connection, sql, maxRows === undefined ? {} : { maxRows })) as Answer;
}

describe('a query', () => {
  it('is answered with columns, types and rows', async () => {
    expect(
      await answerTo(
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
          large: '9007199254740993',
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
    const answer = await answerTo(
      "SELECT 'nan'::DOUBLE AS n, 9007199254740993 AS l, '\\xFF'::BLOB AS b, TIMESTAMP 'infinity' AS i",
    );
    expect(answer).toMatchObject({
      rows: [{ n: 'NaN', l: '9007199254740993', b: '\\xFF', i: 'infinity' }],
    });
  });

  it('gets no more rows than wanted, and learns that there are more', async () => {
    const answer = await answerTo('SELECT * FROM range(10000)', 3);
    expect(answer.rows).toHaveLength(3);
    expect(answer.truncated).toBe(true);
    expect((await answerTo('SELECT * FROM range(3)', 3)).truncated).toBe(false);
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

  it('keeps every digit, whatever the type', async () => {
    const cells: readonly (readonly [sql: string, value: unknown])[] = [
      ['123456789012345678.90::DECIMAL(20, 2)', '123456789012345678.90'],
      ['1.50::DECIMAL(5, 2)', 1.5],
      ['(-0.05)::DECIMAL(5, 2)', -0.05],
      ['170141183460469231731687303715884105727::HUGEINT', '170141183460469231731687303715884105727'],
      ['9007199254740991::BIGINT', 9007199254740991],
      ["UUID '689c194e-7bb3-4782-b759-f2a3d8915958'", '689c194e-7bb3-4782-b759-f2a3d8915958'],
      ["DATE '2020-01-01'", '2020-01-01'],
      ["DATE 'infinity'", 'infinity'],
      ["TIME '01:02:03.5'", '01:02:03.5'],
      ["TIMESTAMP_NS '2020-01-01 00:00:00.123456789'", '2020-01-01T00:00:00.123456789Z'],
      ["TIMESTAMP_S 'infinity'", 'infinity'],
      ["TIMESTAMP_S '2020-01-01 00:00:00'", '2020-01-01T00:00:00Z'],
      ["TIMESTAMP_MS '2020-01-01 00:00:00.001'", '2020-01-01T00:00:00.001000Z'],
      ["TIMESTAMPTZ '2020-01-01 00:00:00+02'", '2019-12-31T22:00:00Z'],
      ["INTERVAL '1 month 2 days 3 hours'", '1 month 2 days 03:00:00'],
      ['[[1.25::DECIMAL(5, 2)], [NULL], NULL]', [[1.25], [null], null]],
      ["[{'a': 9007199254740993}]", [{ a: '9007199254740993' }]],
      ["MAP {'a': 1, 'b': NULL}", { a: 1, b: null }],
      ['union_value(n := 1)', 1],
    ];
    const { rows } = await answerTo(`SELECT ${cells.map(([sql], at) => `${sql} AS c${at}`).join(', ')}`);
    expect(rows).toEqual([Object.fromEntries(cells.map(([, value], at) => [`c${at}`, value]))]);
  });

  it('may call a column, a field or a key __proto__', async () => {
    const text = await answerSql(
      connection,
      "SELECT 1 AS __proto__, {'__proto__': 2} AS s, MAP {'__proto__': 3} AS m",
    );
    expect(text).toContain('"rows":[{"__proto__":1,"s":{"__proto__":2},"m":{"__proto__":3}}]');
  });

  it.each([
    ["PIVOT (SELECT 'x' AS a, 2 AS b) ON a USING sum(b)", [{ x: 2 }]],
    ["SELECT * FROM (PIVOT (SELECT 'x' AS a, 2 AS b) ON a USING sum(b))", [{ x: 2 }]],
    ["PIVOT (SELECT 'x' AS a, 2 AS b) ON a IN ('x', 'y') USING sum(b);", [{ x: 2, y: null }]],
  ])('pivots: %s', async (sql, rows) => {
    expect((await answerTo(sql)).rows).toEqual(rows);
  });

  it.each([
    "FROM enable_logging(storage = 'file', storage_path = '/tmp/fedloop-must-not-be')",
    'FROM enable_profiling()',
    "SELECT write_log('x')",
    'SELECT sleep_ms(1)',
    "SELECT current_setting('memory_limit')",
    "FROM query('SELECT 1')",
    "FROM query_table('devices')",
    "SELECT system.main.write_log('x')",
    "SELECT [write_log(x) FOR x IN ['a']]",
    "WITH a AS (SELECT 1) SELECT (SELECT max(write_log('x')) FROM a)",
    'SELECT sum(setseed(0.5)) OVER () FROM devices ORDER BY sleep_ms(1)',
    'FROM duckdb_secrets()',
    'FROM duckdb_settings()',
    "PIVOT (FROM glob('/etc/*')) ON file USING count(*)",
    'PIVOT (FROM "glob" (\'/etc/*\')) ON file USING count(*)',
    "PIVOT (FROM glob/**/('/etc/*')) ON file USING count(*)",
    'CREATE TABLE pivoted AS PIVOT devices ON slot USING count(*)',
    'CREATE TYPE pivot AS ENUM (); SELECT 1',
    'EXPLAIN (ANALYZE) SELECT 1',
    "DESCRIBE FROM read_csv('/etc/passwd')",
    "FROM '/etc/passwd'",
  ])('calls no function that acts, waits or opens: %s', async (sql) => {
    await expect(answerSql(connection, sql)).rejects.toMatchObject({ code: 'InvalidInput' });
    expect(
      await query(connection, "SELECT count(*) AS n FROM duckdb_tables() WHERE table_name = 'pivoted'"),
    ).toEqual([{ n: 0 }]);
  });

  it('may call every function that the views of the warehouse and the catalog need', async () => {
    const { rows } = await answerTo('SELECT table_name AS name FROM information_schema.tables');
    for (const { name } of rows as { name: string }[])
      await expect(answerSql(connection, `SELECT * FROM "${name}" LIMIT 1`)).resolves.toBeDefined();
  });
});
