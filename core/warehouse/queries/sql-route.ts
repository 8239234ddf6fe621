import { type IncomingMessage } from 'node:http';
import { DuckDBResultReader, StatementType, type DuckDBPreparedStatement } from '@duckdb/node-api';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { parseOrThrow } from '../../contracts/validation';
import { type RouteHandler } from '../../platform/http';
import { type SerialConnection } from '../database/connection';
import { MAX_SQL_BYTES, MAX_SQL_ROWS, SQL_TIMEOUT_MS } from '../limits';
import { type Warehouse } from '../database/open';
import { toReadableCell, type Cell } from '../database/values';

export interface SqlAnswer {
  /** `type` is DuckDB's name of the type, such as `DOUBLE` or `TIMESTAMP`. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Timestamps are ISO 8601 in UTC; whole numbers beyond 2^53 and numbers that JSON lacks (NaN, Infinity) are texts. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  /** There were more rows than the limit. */
  readonly truncated: boolean;
}

/**
 * Answer one query. It must be a single SELECT (or what DuckDB makes one: FROM, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN of a
 * SELECT): the kind is taken from DuckDB's own parser, the transaction is read-only, and the instance can open no file but
 * the warehouse.
 * @throws FedloopError `InvalidInput` for anything else, for SQL that is wrong and for a query that runs too long.
 */
export async function answerSql(
  connection: SerialConnection,
  sql: string,
  options: { readonly maxRows?: number; readonly timeoutMillis?: number } = {},
): Promise<SqlAnswer> {
  const maxRows = Math.min(options.maxRows ?? MAX_SQL_ROWS, MAX_SQL_ROWS);
  return connection.alone(async ({ raw, run }) => {
    const late = new AbortController();
    const timer = setTimeout(() => {
      late.abort();
      connection.interrupt();
    }, options.timeoutMillis ?? SQL_TIMEOUT_MS);
    await run('BEGIN TRANSACTION READ ONLY');
    try {
      const statements = await raw.extractStatements(sql);
      if (statements.count !== 1) throw refused(`one statement at a time; these are ${statements.count}`);
      const statement = await statements.prepare(0);
      try {
        assertReads(statement, sql);
        const reader = new DuckDBResultReader(await statement.stream());
        await reader.readUntil(maxRows + 1);
        return answerOf(reader, maxRows);
      } finally {
        statement.destroySync();
      }
    } catch (cause) {
      if (cause instanceof FedloopError) throw cause;
      throw refused(
        late.signal.aborted ? 'the query took too long and was stopped' : `SQL: ${messageOf(cause)}`,
        cause,
      );
    } finally {
      clearTimeout(timer);
      await run('ROLLBACK');
    }
  });
}

function refused(why: string, cause?: unknown): FedloopError {
  return new FedloopError('InvalidInput', why, { cause });
}

function assertReads({ statementType: type, parameterCount }: DuckDBPreparedStatement, sql: string): void {
  // EXPLAIN ANALYZE would run what it explains. In a read-only transaction that does no harm, but it is no query.
  const reads =
    type === StatementType.SELECT ||
    (type === StatementType.EXPLAIN && !/^\s*explain\s+analy[sz]e/i.test(sql));
  if (!reads) throw refused(`only SELECT is answered here; this is ${StatementType[type]}`);
  if (parameterCount > 0) throw refused('the query has parameters without values');
}

function answerOf(reader: DuckDBResultReader, maxRows: number): SqlAnswer {
  const names = reader.deduplicatedColumnNames();
  const types = reader.columnTypes();
  const rows = reader.convertRowObjects(toReadableCell).slice(0, maxRows);
  return {
    columns: names.map((name, index) => ({ name, type: String(types[index]) })),
    rows: rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null]))),
    truncated: reader.currentRowCount > maxRows,
  };
}

/** JSON of an answer: a value that JSON lacks becomes a text. */
export function answerToJson(answer: SqlAnswer): string {
  return JSON.stringify(answer, (_, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    return value;
  });
}

const requestSchema = z.strictObject({
  sql: z.string().min(1).max(MAX_SQL_BYTES),
  maxRows: z.int().min(1).max(MAX_SQL_ROWS).default(MAX_SQL_ROWS),
});

/** `POST /sql` with JSON `{sql, maxRows?}` → `{columns, rows, truncated}`; 400 with `{error}` for what is not answered. */
export function sqlRoute(warehouse: Warehouse): RouteHandler {
  const connection = warehouse.connect();
  // Awaited with the first query; a failure before must not count as unhandled.
  connection.catch(() => undefined);
  return async (request, response) => {
    const reply = (status: number, body: string): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    if (request.method !== 'POST') {
      reply(405, JSON.stringify({ error: 'send queries with POST' }));
      return;
    }
    try {
      const { sql, maxRows } = parseOrThrow(requestSchema, await readJson(request), 'the query');
      reply(200, answerToJson(await answerSql(await connection, sql, { maxRows })));
    } catch (cause) {
      const status = cause instanceof FedloopError && cause.code === 'InvalidInput' ? 400 : 500;
      reply(status, JSON.stringify({ error: messageOf(cause) }));
    }
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A web page can send a form or plain text to loopback without permission; JSON it cannot.
  if (request.headers['content-type']?.startsWith('application/json') !== true)
    throw refused('the query must be application/json');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > 2 * MAX_SQL_BYTES) throw refused('the query is too long');
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw refused('the query is not JSON', cause);
  }
}
