import { type IncomingMessage } from 'node:http';
import { DuckDBResultReader, StatementType, type DuckDBPreparedStatement } from '@duckdb/node-api';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { parseOrThrow } from '../../contracts/validation';
import { type RouteHandler } from '../../platform/metrics';
import { type SerialConnection } from '../database/connection';
import { MAX_SQL_BYTES, MAX_SQL_ROWS, SQL_TIMEOUT_MS } from '../limits';
import { type Warehouse } from '../database/open';
import { toReadableCell, type Cell } from '../database/values';

export interface SqlColumn {
  readonly name: string;
  /** DuckDB's name of the type, such as `DOUBLE` or `TIMESTAMP`. */
  readonly type: string;
}

export interface SqlAnswer {
  readonly columns: readonly SqlColumn[];
  /** Timestamps are ISO 8601 in UTC; whole numbers beyond 2^53 and numbers that JSON lacks (NaN, Infinity) are texts. */
  readonly rows: readonly Readonly<Record<string, Cell>>[];
  /** There were more rows than the limit. */
  readonly truncated: boolean;
}

export interface SqlOptions {
  readonly maxRows?: number;
  readonly timeoutMillis?: number;
}

/**
 * Answer one question. It must be a single SELECT (or what DuckDB makes one: FROM, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN of a
 * SELECT): the kind is taken from DuckDB's own parser, the transaction is read-only, and the instance can open no file but
 * the warehouse.
 * @throws FedloopError `InvalidInput` for anything else, for SQL that is wrong and for one that takes too long.
 */
export async function answerSql(
  connection: SerialConnection,
  sql: string,
  options: SqlOptions = {},
): Promise<SqlAnswer> {
  const maxRows = Math.min(options.maxRows ?? MAX_SQL_ROWS, MAX_SQL_ROWS);
  return connection.alone(async ({ raw, run }) => {
    const late = new AbortController();
    late.signal.addEventListener('abort', () => {
      connection.interrupt();
    });
    const timer = setTimeout(() => {
      late.abort();
    }, options.timeoutMillis ?? SQL_TIMEOUT_MS);
    await run('BEGIN TRANSACTION READ ONLY');
    try {
      const statements = await raw.extractStatements(sql);
      if (statements.count !== 1) {
        throw new FedloopError(
          'InvalidInput',
          `ask one question at a time; this is ${statements.count} statements`,
        );
      }
      const statement = await statements.prepare(0);
      try {
        assertReads(statement, sql);
        if (statement.parameterCount > 0) {
          throw new FedloopError(
            'InvalidInput',
            'the question has parameters, and nothing to fill them with',
          );
        }
        const reader = new DuckDBResultReader(await statement.stream());
        await reader.readUntil(maxRows + 1);
        return answerOf(reader, maxRows);
      } finally {
        statement.destroySync();
      }
    } catch (cause) {
      if (cause instanceof FedloopError) throw cause;
      throw new FedloopError(
        'InvalidInput',
        late.signal.aborted ? 'the question took too long and was broken off' : `SQL: ${messageOf(cause)}`,
        { cause },
      );
    } finally {
      clearTimeout(timer);
      await run('ROLLBACK');
    }
  });
}

function assertReads(statement: DuckDBPreparedStatement, sql: string): void {
  const type = statement.statementType;
  // EXPLAIN ANALYZE would run what it explains; inside a read-only transaction it can do no harm, but it is no question.
  const reads =
    type === StatementType.SELECT ||
    (type === StatementType.EXPLAIN && !/^\s*explain\s+analy[sz]e/i.test(sql));
  if (!reads) {
    throw new FedloopError('InvalidInput', `only SELECT is answered here; this is ${StatementType[type]}`);
  }
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

/** JSON of an answer: what JSON cannot say becomes a text. */
export function answerToJson(answer: SqlAnswer): string {
  return JSON.stringify(answer, (_, value: unknown) => {
    if (typeof value === 'bigint') return value.toString();
    if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
    return value;
  });
}

const requestSchema = z.strictObject({
  sql: z.string().min(1).max(MAX_SQL_BYTES),
  maxRows: z.int().min(1).max(MAX_SQL_ROWS).optional(),
});

/** `POST /sql` with JSON `{sql, maxRows?}` → `{columns, rows, truncated}`; 400 with `{error}` for what is not answered. */
export function sqlRoute(warehouse: Warehouse): RouteHandler {
  const connection = warehouse.connect();
  // Looked at with the first question; a failure before must not count as unhandled.
  connection.catch(() => undefined);
  return async (request, response) => {
    const say = (status: number, body: string): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    if (request.method !== 'POST') {
      say(405, JSON.stringify({ error: 'ask with POST' }));
      return;
    }
    try {
      const { sql, maxRows } = parseOrThrow(requestSchema, await readJson(request), 'the question');
      const answer = await answerSql(await connection, sql, maxRows === undefined ? {} : { maxRows });
      say(200, answerToJson(answer));
    } catch (cause) {
      const status = cause instanceof FedloopError && cause.code === 'InvalidInput' ? 400 : 500;
      say(status, JSON.stringify({ error: messageOf(cause) }));
    }
  };
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A web page can send a form or plain text to loopback without asking; JSON it cannot.
  if (request.headers['content-type']?.startsWith('application/json') !== true) {
    throw new FedloopError('InvalidInput', 'the question must be application/json');
  }
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request) {
    const bytes = Buffer.from(piece as Uint8Array);
    size += bytes.length;
    if (size > 2 * MAX_SQL_BYTES) throw new FedloopError('InvalidInput', 'the question is too long');
    pieces.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new FedloopError('InvalidInput', 'the question is not JSON', { cause });
  }
}
