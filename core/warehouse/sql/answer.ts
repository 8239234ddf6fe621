import { StatementType, type DuckDBPreparedStatement, type DuckDBResult } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type SerialConnection, type Statements } from '../database/connection';
import { readCell } from '../database/values';
import { MAX_ANSWER_BYTES, MAX_SQL_ROWS } from '../limits';
import { assertAllowed, refused, type QueryKind } from './policy';

/**
 * Answer one query. It must be a single SELECT (or what DuckDB makes one: FROM, DESCRIBE, SHOW, SUMMARIZE, PIVOT, EXPLAIN of a
 * SELECT) that names tables of the warehouse and allowed functions (`policy.ts`). The transaction is read-only, and the instance
 * can open no file but the warehouse. Memory and time are the process's concern (`readers.ts`).
 * @returns JSON `{columns: [{name, type}], rows: [{…}], truncated}`. `type` is DuckDB's name of it. Names are unique: a second `a` is
 * `a:1`. Timestamps are ISO 8601 in UTC; numbers that a double cannot hold, or JSON lacks (NaN, Infinity), are texts with all
 * digits. `truncated`: there were more rows than the limit.
 * @throws FedloopError `InvalidInput` for anything else, for SQL that is wrong and for an answer with too many bytes.
 */
export async function answerSql(
  connection: SerialConnection,
  sql: string,
  options: { readonly maxRows?: number } = {},
): Promise<string> {
  const maxRows = Math.min(options.maxRows ?? MAX_SQL_ROWS, MAX_SQL_ROWS);
  return connection.alone(async (inside) => {
    await inside.run('BEGIN TRANSACTION READ ONLY');
    try {
      const statement = await prepare(inside, sql, await assertAllowed(inside, sql));
      try {
        return await readAnswer(await statement.stream(), maxRows);
      } finally {
        statement.destroySync();
      }
    } catch (cause) {
      throw cause instanceof FedloopError ? cause : refused(`SQL: ${messageOf(cause)}`, cause);
    } finally {
      await inside.run('ROLLBACK');
    }
  });
}

/** Prepare the query; what comes before it are the types that a PIVOT reads its columns' names into. */
async function prepare({ raw }: Statements, sql: string, kind: QueryKind): Promise<DuckDBPreparedStatement> {
  const statements = await raw.extractStatements(sql);
  const last = statements.count - 1;
  if (last < 0 || (last > 0 && kind !== 'pivot'))
    throw refused(`one statement at a time; these are ${statements.count}`);
  for (let index = 0; index < last; index += 1) {
    const statement = await statements.prepare(index);
    assertType(statement, StatementType.CREATE);
    await statement.run();
    statement.destroySync();
  }
  const statement = await statements.prepare(last);
  assertType(statement, kind === 'explain' ? StatementType.EXPLAIN : StatementType.SELECT);
  if (statement.parameterCount > 0) throw refused('the query has parameters without values');
  return statement;
}

function assertType({ statementType }: DuckDBPreparedStatement, wanted: StatementType): void {
  if (statementType !== wanted)
    throw refused(`only SELECT is answered here; this is ${StatementType[statementType]}`);
}

async function readAnswer(result: DuckDBResult, maxRows: number): Promise<string> {
  const names = result.deduplicatedColumnNames();
  const types = result.columnTypes();
  const columns = names.map((name, index) => ({ name, type: String(types[index]) }));
  // Text at once: objects of 100,000 rows would take ten times the memory.
  const rows: string[] = [];
  const end = (truncated: boolean): string =>
    `{"columns":${JSON.stringify(columns)},"rows":[${rows.join(',')}],"truncated":${truncated}}`;
  let bytes = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return end(false);
    const vectors = names.map((_, index) => chunk.getColumnVector(index));
    // Row by row: one chunk of long texts can be larger than an answer may be.
    for (let row = 0; row < chunk.rowCount; row += 1) {
      if (rows.length === maxRows) return end(true);
      const cells = vectors.map((vector, index) => [names[index], readCell(vector, row)] as const);
      const text = JSON.stringify(Object.fromEntries(cells), jsonValue);
      bytes += text.length;
      if (bytes > MAX_ANSWER_BYTES) throw tooLarge(rows.length);
      rows.push(text);
    }
  }
}

function tooLarge(rows: number): FedloopError {
  return refused(
    `the answer has more than ${MAX_ANSWER_BYTES / 1_000_000} MB after ${rows} rows; ask for fewer rows or shorter values`,
  );
}

/** A value that JSON lacks becomes a text. */
function jsonValue(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}
