import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { serveHttp, type HttpServer } from '../../../core/platform/http';
import { createMetrics } from '../../../core/platform/metrics';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { Readers } from '../../../core/warehouse/sql/readers';
import { sqlRoute } from '../../../core/warehouse/sql/route';
import { ensureToken, tokenFileOf } from '../../../core/warehouse/sql/token';
import { temporaryFolder } from './helpers';

/** Needs the build: readers are compiled processes. */

const CROSS_JOIN = 'SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range % 7 = b.range % 5';
const NO_END = 'WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t';
const SIX_GIGABYTES = "SELECT repeat('x', 60000) || range FROM range(100000)";

// A new process takes seconds on a machine that does much else.
jest.setTimeout(30_000);

const folder = temporaryFolder();
let warehouse: Warehouse;
let connection: SerialConnection;
let readers: Readers;

beforeAll(async () => {
  warehouse = await openWarehouse(join(folder.path, 'w.duckdb'));
  connection = await warehouse.connect();
  await connection.run("INSERT INTO devices VALUES ('d', 's', '1')");
  readers = await Readers.open(warehouse, { maxReaders: 3, waitMillis: 200 });
});
afterAll(async () => {
  await readers.close();
  await warehouse.close();
  folder.remove();
});

async function rowsOf(sql: string): Promise<unknown> {
  return (JSON.parse((await readers.ask({ sql })).toString('utf8')) as { rows: unknown }).rows;
}

describe('a reader', () => {
  it('sees every row that was committed before the question', async () => {
    for (let count = 2; count <= 6; count += 1) {
      await connection.run(`INSERT INTO devices VALUES ('d${count}', 's', '1')`);
      expect(await rowsOf('SELECT count(*) AS n FROM devices')).toEqual([{ n: count }]);
    }
  });

  it('sees one state of the tables while they are written and DuckDB writes its file anew', async () => {
    await connection.run('CREATE TABLE pairs (number INTEGER, batch INTEGER)');
    const writer = { stops: false };
    const writing = (async () => {
      for (let batch = 0; !writer.stops; batch += 1) {
        await connection.run(`INSERT INTO pairs SELECT range, ${batch} FROM range(1000)`);
        if (batch % 20 === 19) await connection.run('CHECKPOINT').catch(() => undefined);
      }
    })();
    let answered = 0;
    for (let question = 0; question < 10; question += 1) {
      const rows = await rowsOf('SELECT count(*) = 1000 * count(DISTINCT batch) AS whole FROM pairs').then(
        (found) => {
          answered += 1;
          return found;
        },
        (cause: unknown) => {
          // Written anew too often on a slow machine: refused, and never wrong.
          expect(cause).toMatchObject({
            code: 'WarehouseFailed',
            message: expect.stringContaining('ask again') as string,
          });
          return [{ whole: true }];
        },
      );
      expect(rows).toEqual([{ whole: true }]);
    }
    writer.stops = true;
    expect(answered).toBeGreaterThan(0);
    await writing;
    await connection.run('DROP TABLE pairs');
  });

  it.each([
    ['an endless recursion', NO_END],
    ['a cross join', CROSS_JOIN],
  ])('is ended at its time limit: %s', async (_, sql) => {
    await expect(readers.ask({ sql, timeoutMillis: 500 })).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining('longer than 0.5 s') as string,
    });
  });

  it.each([
    ['long texts', SIX_GIGABYTES],
    ['one text of 2 GB', "SELECT length(repeat('x', 2000000000))"],
    ['one list', 'SELECT list(range) FROM range(50000000)'],
  ])('is ended at its memory limit: %s', async (_, sql) => {
    await expect(readers.ask({ sql })).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringMatching(/more memory|more than 24 MB/) as string,
    });
  });

  it('refuses an answer of too many bytes', async () => {
    const sql = "SELECT repeat('x', 1000) FROM range(50000)";
    await expect(readers.ask({ sql })).rejects.toThrow('the answer has more than 24 MB after');
  });

  it('waits for no other, and ends at once when whoever asked goes away', async () => {
    const gone = new AbortController();
    const slow = [CROSS_JOIN, NO_END].map((sql) =>
      expect(readers.ask({ sql, signal: gone.signal })).rejects.toMatchObject({ code: 'Interrupted' }),
    );
    expect(await rowsOf('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    gone.abort();
    await Promise.all(slow);
    expect(await rowsOf('SELECT 2 AS two')).toEqual([{ two: 2 }]);
  });

  it('is refused while the most run, with what to do', async () => {
    const gone = new AbortController();
    const slow = [CROSS_JOIN, NO_END, CROSS_JOIN].map((sql) =>
      expect(readers.ask({ sql, signal: gone.signal })).rejects.toMatchObject({ code: 'Interrupted' }),
    );
    await expect(rowsOf('SELECT 1')).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining('ask again when one has ended') as string,
    });
    gone.abort();
    await Promise.all(slow);
  });

  it('lets no other process write the file', () => {
    const open = `require('@duckdb/node-api').DuckDBInstance.create(process.argv[1]).then(() => console.log('opened'), () => console.log('refused'))`;
    const out = execFileSync(process.execPath, ['-e', open, warehouse.path], { encoding: 'utf8' });
    expect(out.trim()).toBe('refused');
  });

  it('leaves nothing behind', async () => {
    const path = join(folder.path, 'other.duckdb');
    mkdirSync(`${path}.readers/of-a-killed-process`, { recursive: true });
    const other = await openWarehouse(path);
    const its = await Readers.open(other);
    await its.ask({ sql: 'SELECT 1' });
    await its.close();
    await other.close();
    expect(existsSync(`${path}.readers`)).toBe(false);
  });
});

describe('POST /sql', () => {
  let http: HttpServer;
  let token: string | undefined;

  beforeAll(async () => {
    token = await ensureToken(warehouse.path, undefined);
    http = await serveHttp({
      host: '127.0.0.1',
      port: 0,
      registry: createMetrics('test'),
      routes: { '/sql': sqlRoute(readers, token) },
    });
  });
  afterAll(() => http.close());

  const post = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${http.url}/sql`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token ?? ''}`, ...headers },
    });

  it('answers in JSON', async () => {
    const response = await post(
      JSON.stringify({ sql: "SELECT slot FROM devices WHERE device_id = 'd'", maxRows: 5 }),
    );
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      columns: [{ name: 'slot', type: 'VARCHAR' }],
      rows: [{ slot: '1' }],
      truncated: false,
    });
  });

  it('says what is wrong in one sentence', async () => {
    const wrong = [
      [JSON.stringify({ sql: 'DROP TABLE devices' }), 'only a single SELECT is answered here'],
      [JSON.stringify({ sq: 'SELECT 1' }), 'sql'],
      ['{', 'the query is not JSON'],
    ] as const;
    for (const [body, message] of wrong) {
      const response = await post(body);
      expect(response.status).toBe(400);
      expect(((await response.json()) as { error: string }).error).toContain(message);
    }
  });

  it('takes nothing that a web page could send unasked', async () => {
    const plain = { 'content-type': 'text/plain' };
    expect((await post(JSON.stringify({ sql: 'SELECT 1' }), plain)).status).toBe(400);
    const authorization = `Bearer ${token ?? ''}`;
    expect((await fetch(`${http.url}/sql`, { headers: { authorization } })).status).toBe(405);
  });

  it('answers nobody without the token', async () => {
    for (const authorization of ['', 'Bearer ', 'Bearer wrong', `Bearer ${token ?? ''}x`, token ?? ''])
      expect((await post(JSON.stringify({ sql: 'SELECT 1' }), { authorization })).status).toBe(401);
  });

  it('keeps the token in a file of its owner, unless an operator has set one or wants none', async () => {
    expect(statSync(tokenFileOf(warehouse.path)).mode & 0o777).toBe(0o600);
    expect(await ensureToken(warehouse.path, undefined)).toBe(token);
    expect(await ensureToken(warehouse.path, 'a token of 20 letters')).toBe('a token of 20 letters');
    expect(await ensureToken(warehouse.path, 'off')).toBeUndefined();
  });
});
