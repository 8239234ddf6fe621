import {
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  INTEGER,
  BIGINT,
  TIMESTAMP,
  VARCHAR,
  type DuckDBConnection,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { z } from 'zod';
import { type AnalysisBlock, type EvaluationBlock } from '../../contracts/blocks';
import { covariateColumns, type Sensors } from '../../contracts/task';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { ROWS_PER_CHUNK } from '../limits';
import { type Statements } from './connection';
import { timestamp } from './values';

/** The values of a source's rows in one column; `all` is the value of every row. */
type ColumnValues = readonly DuckDBValue[] | { readonly all: DuckDBValue };

/** A column of a table, and its values in the rows of a source. */
interface TableColumn<Source> {
  readonly name: string;
  readonly type: DuckDBType;
  readonly of: (source: Source) => ColumnValues;
}

/** Table or view that people read the rows of messages from. */
export type ReadTable = 'stream_analysis_results' | 'model_evaluations' | 'rejected_rows';

/** A table whose rows come from messages: columns that `verify` compares, and those of a row's writer and time. */
export interface RowTable<Source> {
  readonly name: string;
  readonly readAs: ReadTable;
  /** The first so many of the compared columns are a row's key; the first one is its place in the partition. */
  readonly keys: number;
  readonly compared: readonly TableColumn<Source>[];
  readonly written: readonly TableColumn<Source>[];
}

/** The parts of a block that its rows are made of. */
export type BlockRows<Block extends AnalysisBlock | EvaluationBlock> = Pick<
  Block,
  'window_start' | 'window_end' | 'partition' | 'epoch' | 'columns'
> & {
  /** Time of the block at the broker, which is when its forecasts were evaluated. */
  readonly recordMillis: number;
};

/** Rows of one device and window, with the mean of each covariate. */
export function analysisTable(sensors: Sensors): RowTable<BlockRows<AnalysisBlock>> {
  return {
    name: 'stream_analysis_results',
    readAs: 'stream_analysis_results',
    keys: 2,
    compared: [
      { name: 'window_start', type: TIMESTAMP, of: (rows) => ({ all: timestamp(rows.window_start) }) },
      { name: 'device_id', type: VARCHAR, of: ({ columns }) => columns.device_id },
      { name: 'window_end', type: TIMESTAMP, of: (rows) => ({ all: timestamp(rows.window_end) }) },
      { name: 'count', type: INTEGER, of: ({ columns }) => columns.count },
      { name: 'avg', type: DOUBLE, of: ({ columns }) => columns.avg },
      { name: 'min', type: DOUBLE, of: ({ columns }) => columns.min },
      { name: 'max', type: DOUBLE, of: ({ columns }) => columns.max },
      { name: 'stddev', type: DOUBLE, of: ({ columns }) => columns.stddev },
      { name: 'max_abs_z', type: DOUBLE, of: ({ columns }) => columns.max_abs_z },
      { name: 'outliers', type: INTEGER, of: ({ columns }) => columns.outliers },
      { name: 'is_anomaly', type: BOOLEAN, of: ({ columns }) => columns.outliers.map((some) => some > 0) },
      { name: 'confidence', type: DOUBLE, of: ({ columns }) => columns.max_abs_z },
      ...covariateColumns(sensors).map((name) => ({
        name,
        type: DOUBLE,
        of: ({ columns }: BlockRows<AnalysisBlock>) => columns[name] ?? { all: null },
      })),
      { name: 'actual_anomaly', type: BOOLEAN, of: ({ columns }) => columns.actual_anomaly.map(flag) },
    ],
    written: [
      { name: 'source_partition', type: INTEGER, of: ({ partition }) => ({ all: partition }) },
      { name: 'epoch', type: BIGINT, of: ({ epoch }) => ({ all: BigInt(epoch) }) },
    ],
  };
}

/** Rows of one version, device and window. */
export const EVALUATION_TABLE: RowTable<BlockRows<EvaluationBlock>> = {
  name: 'evaluation_rows',
  readAs: 'model_evaluations',
  keys: 3,
  compared: [
    { name: 'window_start', type: TIMESTAMP, of: (rows) => ({ all: timestamp(rows.window_start) }) },
    { name: 'model_version', type: VARCHAR, of: ({ columns }) => columns.model_version },
    { name: 'device_id', type: VARCHAR, of: ({ columns }) => columns.device_id },
    { name: 'window_end', type: TIMESTAMP, of: (rows) => ({ all: timestamp(rows.window_end) }) },
    { name: 'prediction_result', type: DOUBLE, of: ({ columns }) => columns.prediction_result },
    { name: 'served_result', type: DOUBLE, of: ({ columns }) => columns.served_result ?? { all: null } },
    { name: 'actual_result', type: DOUBLE, of: ({ columns }) => columns.actual_result },
    { name: 'error', type: DOUBLE, of: ({ columns }) => columns.error },
    { name: 'loss', type: DOUBLE, of: ({ columns }) => columns.loss },
    { name: 'is_correct', type: BOOLEAN, of: ({ columns }) => columns.is_correct.map(flag) },
    { name: 'confidence', type: DOUBLE, of: ({ columns }) => columns.confidence },
    { name: 'persistence_error', type: DOUBLE, of: ({ columns }) => columns.persistence_error },
    { name: 'predicted_anomaly', type: BOOLEAN, of: ({ columns }) => columns.predicted_anomaly.map(flag) },
    { name: 'band', type: DOUBLE, of: ({ columns }) => columns.band ?? { all: null } },
    { name: 'anomaly_score', type: DOUBLE, of: ({ columns }) => columns.anomaly_score ?? { all: null } },
    { name: 'anomaly_kind', type: VARCHAR, of: ({ columns }) => columns.anomaly_kind ?? { all: null } },
    { name: 'actual_anomaly', type: BOOLEAN, of: ({ columns }) => columns.actual_anomaly.map(flag) },
    { name: 'regime', type: VARCHAR, of: ({ columns }) => columns.regime },
  ],
  written: [
    {
      name: 'evaluation_timestamp',
      type: TIMESTAMP,
      of: ({ recordMillis }) => ({ all: timestamp(recordMillis * MICROS_PER_MILLI) }),
    },
    { name: 'source_partition', type: INTEGER, of: ({ partition }) => ({ all: partition }) },
    { name: 'epoch', type: BIGINT, of: ({ epoch }) => ({ all: BigInt(epoch) }) },
  ],
};

function flag(value: 0 | 1 | null): boolean | null {
  return value === null ? null : value === 1;
}

/** An event or a row of a file that was rejected; null for what its source lacks. */
export interface RejectedRow {
  readonly source: 'stream' | 'batch' | 'ingest';
  readonly reason: string;
  readonly detail: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly raw: string;
  readonly recordMillis: number | null;
}

export const REJECTED_TABLE: RowTable<readonly RejectedRow[]> = {
  name: 'rejected_rows',
  readAs: 'rejected_rows',
  keys: 1,
  compared: [
    { name: 'source_offset', type: BIGINT, of: (rows) => rows.map(({ offset }) => bigint(offset)) },
    { name: 'reason', type: VARCHAR, of: (rows) => rows.map(({ reason }) => reason) },
    { name: 'detail', type: VARCHAR, of: (rows) => rows.map(({ detail }) => detail) },
    { name: 'raw', type: VARCHAR, of: (rows) => rows.map(({ raw }) => raw) },
  ],
  written: [
    { name: 'source', type: VARCHAR, of: (rows) => rows.map(({ source }) => source) },
    { name: 'source_partition', type: INTEGER, of: (rows) => rows.map(({ partition }) => partition) },
    { name: 'file', type: VARCHAR, of: (rows) => rows.map(({ file }) => file) },
    { name: 'line', type: BIGINT, of: (rows) => rows.map(({ line }) => bigint(line)) },
    {
      name: 'rejected_at',
      type: TIMESTAMP,
      of: (rows) =>
        rows.map(({ recordMillis }) =>
          recordMillis === null ? null : timestamp(recordMillis * MICROS_PER_MILLI),
        ),
    },
  ],
};

function bigint(value: number | null): bigint | null {
  return value === null ? null : BigInt(value);
}

const columnRow = z.object({ column_name: z.string() });

/** A table with its columns in the order in which the file has them, which an appender needs. */
export interface FileTable<Source> {
  readonly name: string;
  readonly columns: readonly TableColumn<Source>[];
}

/** The table as the file has it. A covariate that the file lacks gets its column; one that the task does not have is left empty. */
export async function tableInFile<Source>(
  { rows, run }: Statements,
  { name: table, compared, written }: RowTable<Source>,
): Promise<FileTable<Source>> {
  const known = new Map([...compared, ...written].map((column) => [column.name, column]));
  const names = async (): Promise<readonly string[]> => {
    const sql = 'SELECT column_name FROM duckdb_columns() WHERE table_name = $table ORDER BY column_index';
    return (await rows(columnRow, sql, { table })).map(({ column_name: name }) => name);
  };
  const there = new Set(await names());
  for (const { name, type } of known.values())
    if (!there.has(name)) await run(`ALTER TABLE ${table} ADD COLUMN "${name}" ${type.toString()}`);
  const empty = (name: string): TableColumn<Source> => ({ name, type: DOUBLE, of: () => ({ all: null }) });
  return { name: table, columns: (await names()).map((name) => known.get(name) ?? empty(name)) };
}

/** Rows of one table that wait for a transaction, column by column. */
export class RowBuffer<Source> {
  private readonly values: DuckDBValue[][];

  constructor(private readonly table: FileTable<Source>) {
    this.values = table.columns.map(() => []);
  }

  get rows(): number {
    return this.values[0]?.length ?? 0;
  }

  append(rows: number, source: Source): void {
    for (const [index, column] of this.table.columns.entries()) {
      const values = this.values[index];
      const more = column.of(source);
      if ('all' in more) for (let row = 0; row < rows; row += 1) values?.push(more.all);
      else for (const value of more) values?.push(value);
    }
  }

  /** Write everything to the table within the caller's transaction. */
  async flush(connection: DuckDBConnection): Promise<void> {
    if (this.rows > 0) await appendChunks(connection, this.table.name, this.chunks());
  }

  private *chunks(): Generator<DuckDBDataChunk> {
    const types = this.table.columns.map(({ type }) => type);
    for (let start = 0; start < this.rows; start += ROWS_PER_CHUNK) {
      const end = Math.min(this.rows, start + ROWS_PER_CHUNK);
      const chunk = DuckDBDataChunk.create(types, end - start);
      chunk.setColumns(this.values.map((column) => column.slice(start, end)));
      yield chunk;
    }
  }
}

/** Append native chunks to a table within the caller's transaction. The appender is always closed: a failed one cannot be used again. */
export async function appendChunks(
  connection: DuckDBConnection,
  table: string,
  chunks: Iterable<DuckDBDataChunk>,
): Promise<void> {
  const appender = await connection.createAppender(table);
  try {
    for (const chunk of chunks) appender.appendDataChunk(chunk);
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}
