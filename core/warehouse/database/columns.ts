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
import { ROWS_PER_CHUNK } from '../limits';

/** Columns of a table in the order of its definition. */
export type TableColumns = readonly (readonly [name: string, type: DuckDBType])[];

export const ANALYSIS_COLUMNS: TableColumns = [
  ['device_id', VARCHAR],
  ['window_start', TIMESTAMP],
  ['window_end', TIMESTAMP],
  ['count', INTEGER],
  ['avg', DOUBLE],
  ['min', DOUBLE],
  ['max', DOUBLE],
  ['stddev', DOUBLE],
  ['max_abs_z', DOUBLE],
  ['outliers', INTEGER],
  ['is_anomaly', BOOLEAN],
  ['confidence', DOUBLE],
  ['humidity_avg', DOUBLE],
  ['pressure_avg', DOUBLE],
  ['actual_anomaly', BOOLEAN],
  ['source_partition', INTEGER],
  ['epoch', BIGINT],
];

export const EVALUATION_COLUMNS: TableColumns = [
  ['model_version', VARCHAR],
  ['device_id', VARCHAR],
  ['window_start', TIMESTAMP],
  ['window_end', TIMESTAMP],
  ['prediction_result', DOUBLE],
  ['actual_result', DOUBLE],
  ['error', DOUBLE],
  ['loss', DOUBLE],
  ['is_correct', BOOLEAN],
  ['confidence', DOUBLE],
  ['persistence_error', DOUBLE],
  ['predicted_anomaly', BOOLEAN],
  ['actual_anomaly', BOOLEAN],
  ['regime', VARCHAR],
  ['evaluation_timestamp', TIMESTAMP],
  ['source_partition', INTEGER],
  ['epoch', BIGINT],
];

export const REJECTED_COLUMNS: TableColumns = [
  ['source', VARCHAR],
  ['reason', VARCHAR],
  ['detail', VARCHAR],
  ['source_partition', INTEGER],
  ['source_offset', BIGINT],
  ['file', VARCHAR],
  ['line', BIGINT],
  ['raw', VARCHAR],
  ['rejected_at', TIMESTAMP],
];

/** Rows of one table on their way in, column by column. */
export class ColumnBuffer {
  private readonly columns: DuckDBValue[][];

  constructor(
    private readonly table: string,
    private readonly definition: TableColumns,
  ) {
    this.columns = definition.map(() => []);
  }

  get rows(): number {
    return this.columns[0]?.length ?? 0;
  }

  /** Append rows given as columns of equal length, in the table's order; a single value stands for all rows. */
  append(rows: number, values: readonly (readonly DuckDBValue[] | { readonly all: DuckDBValue })[]): void {
    values.forEach((value, index) => {
      const column = this.columns[index];
      if (column === undefined) throw new RangeError(`${this.table} has no column ${index}`);
      if ('all' in value) for (let row = 0; row < rows; row += 1) column.push(value.all);
      else for (const cell of value) column.push(cell);
    });
  }

  /**
   * Write everything to the table within the caller's transaction. The appender is thrown away whatever happens: a failed
   * one is poisoned for good.
   */
  async flush(connection: DuckDBConnection): Promise<void> {
    if (this.rows === 0) return;
    const appender = await connection.createAppender(this.table);
    try {
      const types = this.definition.map(([, type]) => type);
      for (let start = 0; start < this.rows; start += ROWS_PER_CHUNK) {
        const end = Math.min(this.rows, start + ROWS_PER_CHUNK);
        const chunk = DuckDBDataChunk.create(types, end - start);
        chunk.setColumns(this.columns.map((column) => column.slice(start, end)));
        appender.appendDataChunk(chunk);
      }
      appender.flushSync();
    } finally {
      appender.closeSync();
    }
  }
}
