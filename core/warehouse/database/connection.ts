import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { type z } from 'zod';
import { parseOrThrow } from '../../contracts/validation';
import { inTurn } from '../../platform/in-turn';
import { toCell, type TypedList } from './values';

export type Parameters = Readonly<Record<string, DuckDBValue | TypedList>>;

/** Statements inside a transaction, or outside of one. */
export interface Statements {
  readonly run: (sql: string, parameters?: Parameters) => Promise<void>;
  /** Rows as objects, each checked against a schema. */
  readonly rows: <Schema extends z.ZodType>(
    schema: Schema,
    sql: string,
    parameters?: Parameters,
  ) => Promise<z.infer<Schema>[]>;
  /** Rows as native chunks: for many rows, or to append them elsewhere unchanged. */
  readonly chunks: (sql: string, parameters?: Parameters) => Promise<DuckDBDataChunk[]>;
  /** The library's own connection, for appenders. */
  readonly raw: DuckDBConnection;
}

/** What a connection tells the instance that it belongs to. */
interface InstanceWatch {
  /** Before each piece of work; rejects while the instance cannot be opened again. */
  readonly ready: () => Promise<void> | undefined;
  readonly onFailure: (cause: unknown) => void;
}

const NO_WATCH: InstanceWatch = { ready: () => undefined, onFailure: () => undefined };

/**
 * One connection, one call at a time. The library must never have two overlapping calls on a connection, and a transaction
 * must not contain statements of others, so everything goes through one queue.
 */
export class SerialConnection implements Omit<Statements, 'raw'> {
  private readonly inTurn = inTurn();
  private statements: Statements;
  private working: Promise<unknown> = Promise.resolve();

  constructor(
    private connection: DuckDBConnection,
    private readonly watch: InstanceWatch = NO_WATCH,
  ) {
    this.statements = statementsOf(connection);
  }

  /** Resolves when the work that has begun is over, whatever came of it. */
  async settled(): Promise<void> {
    await this.working.catch(() => undefined);
  }

  /** Go on over another connection, once `settled`. */
  replace(connection: DuckDBConnection): void {
    this.connection = connection;
    this.statements = statementsOf(connection);
  }

  /** Give the connection back to the library. */
  release(): void {
    this.connection.disconnectSync();
  }

  readonly run: Statements['run'] = (...call) => this.alone(({ run }) => run(...call));
  readonly rows: Statements['rows'] = (...call) => this.alone(({ rows }) => rows(...call));
  readonly chunks: Statements['chunks'] = (...call) => this.alone(({ chunks }) => chunks(...call));

  /** Native chunks as they are made, for more rows than should stand in memory. The connection is busy until the last was read. */
  async *stream(sql: string, parameters?: Parameters): AsyncGenerator<DuckDBDataChunk> {
    let release: () => void = () => undefined;
    const finished = new Promise<void>((resolve) => {
      release = resolve;
    });
    const begun = new Promise<DuckDBResult>((resolve, reject) => {
      this.alone(async () => {
        resolve(await this.connection.stream(sql, ...bound(parameters)));
        await finished;
      }).catch(reject);
    });
    try {
      const result = await begun;
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk;
      }
    } finally {
      release();
    }
  }

  /** Hold the connection until `work` is done. */
  alone<Result>(work: (inside: Statements) => Promise<Result>): Promise<Result> {
    return this.inTurn(async () => {
      await this.watch.ready();
      const working = work(this.statements);
      this.working = working;
      try {
        return await working;
      } catch (cause) {
        this.watch.onFailure(cause);
        throw cause;
      }
    });
  }

  /**
   * Commit all of `work` or nothing of it. After a failed flush a COMMIT resolves although nothing was stored, so every error
   * rolls back at once and is rethrown.
   */
  transaction<Result>(work: (inside: Statements) => Promise<Result>): Promise<Result> {
    return this.alone(async (inside) => {
      await inside.run('BEGIN TRANSACTION');
      try {
        const result = await work(inside);
        await inside.run('COMMIT');
        return result;
      } catch (cause) {
        // Where the transaction has already ended there is nothing to roll back, and the first error matters.
        await inside.run('ROLLBACK').catch(() => undefined);
        throw cause;
      }
    });
  }

  /** Stop the statement that runs now; it fails with an error. */
  interrupt(): void {
    this.connection.interrupt();
  }

  /** After the last statement that was queued. */
  async close(): Promise<void> {
    await this.inTurn(() => Promise.resolve());
    this.release();
  }
}

function statementsOf(connection: DuckDBConnection): Statements {
  return {
    raw: connection,
    async run(sql, parameters) {
      await connection.run(sql, ...bound(parameters));
    },
    async chunks(sql, parameters) {
      return (await connection.run(sql, ...bound(parameters))).fetchAllChunks();
    },
    async rows(schema, sql, parameters) {
      const reader = await connection.runAndReadAll(sql, ...bound(parameters));
      return reader
        .convertRowObjects(toCell)
        .map((row) => parseOrThrow(schema, row, 'a row of the warehouse', 'WarehouseFailed'));
    },
  };
}

/** Values and types as the library takes them. Without any, a text may hold several statements. */
function bound(
  parameters?: Parameters,
): [values?: Record<string, DuckDBValue>, types?: Record<string, DuckDBType>] {
  if (parameters === undefined) return [];
  const values: Record<string, DuckDBValue> = {};
  const types: Record<string, DuckDBType> = {};
  for (const [name, parameter] of Object.entries(parameters)) {
    const isTyped = isTypedList(parameter);
    values[name] = isTyped ? parameter.value : parameter;
    if (isTyped) types[name] = parameter.type;
  }
  return [values, types];
}

function isTypedList(parameter: DuckDBValue | TypedList): parameter is TypedList {
  return typeof parameter === 'object' && parameter !== null && 'type' in parameter && 'value' in parameter;
}
