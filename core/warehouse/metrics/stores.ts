import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { type SerialConnection } from '../database/connection';
import { type TableFigures } from './table-figures';

/** What lies in the tables: rejects, batch results, sizes. */
export function storeFigures(figures: TableFigures, connection: SerialConnection, path: string): void {
  const rejected = figures.gauge(
    'fedloop_rejected_rows',
    'Rows kept in rejected_rows, by source and reason.',
    ['source', 'reason'],
  );
  const files = figures.gauge('fedloop_batch_files', 'Files that batch results are made of.');
  const rows = figures.gauge('fedloop_batch_rows', 'Readings in those files.');
  const broken = figures.gauge('fedloop_batch_rejected_rows', 'Broken rows in those files.');
  const results = figures.gauge(
    'fedloop_batch_results',
    'Rows of batch_analysis_results: device, day and sensor.',
  );
  const latestDay = figures.gauge(
    'fedloop_batch_latest_day_timestamp_seconds',
    'Start of the latest day that batch results speak of, in seconds since 1970 of event time.',
  );
  const latestWindow = figures.gauge(
    'fedloop_latest_window_timestamp_seconds',
    'End of the latest complete window that was evaluated, in seconds since 1970 of event time.',
  );
  const tables = figures.gauge(
    'fedloop_warehouse_table_rows',
    'Rows of a table as DuckDB estimates them; rows that were deleted may still count.',
    ['table'],
  );
  const bytes = figures.gauge(
    'fedloop_warehouse_size_bytes',
    'Size of the DuckDB file and of its write-ahead log.',
    ['file'],
  );
  figures.read(async () => {
    const rejects = await connection.rows(
      rejectedRow,
      'SELECT source, reason, count(*) AS n FROM rejected_rows GROUP BY ALL',
    );
    const [batch] = await connection.rows(
      batchRow,
      `SELECT count(*) AS files, coalesce(sum(rows), 0)::BIGINT AS rows, coalesce(sum(rejected), 0)::BIGINT AS rejected,
              (SELECT count(*) FROM batch_analysis_results) AS results,
              (SELECT epoch(max(day)) FROM batch_analysis_results) AS latest_day,
              (SELECT epoch(max(window_end)) FROM model_feedback WHERE scope = 'window') AS latest_window
       FROM batch_files`,
    );
    const sizes = await connection.rows(
      tableRow,
      `SELECT table_name AS name, estimated_size AS rows FROM duckdb_tables() WHERE NOT internal AND NOT temporary`,
    );
    const database = await sizeOf(path);
    const log = await sizeOf(`${path}.wal`);
    return () => {
      for (const { source, reason, n } of rejects) rejected.set({ source, reason }, n);
      files.set({}, batch?.files ?? 0);
      rows.set({}, batch?.rows ?? 0);
      broken.set({}, batch?.rejected ?? 0);
      results.set({}, batch?.results ?? 0);
      if (batch?.latest_day != null) latestDay.set({}, batch.latest_day);
      if (batch?.latest_window != null) latestWindow.set({}, batch.latest_window);
      for (const table of sizes) tables.set({ table: table.name }, table.rows);
      bytes.set({ file: 'database' }, database);
      bytes.set({ file: 'write-ahead-log' }, log);
    };
  });
}

/** A write-ahead log is there only while it holds something. */
async function sizeOf(path: string): Promise<number> {
  const file = await stat(path).catch(() => undefined);
  return file?.size ?? 0;
}

const rejectedRow = z.object({ source: z.string(), reason: z.string(), n: z.int() });
const batchRow = z.object({
  files: z.int(),
  rows: z.int(),
  rejected: z.int(),
  results: z.int(),
  latest_day: z.number().nullable(),
  latest_window: z.number().nullable(),
});
const tableRow = z.object({ name: z.string(), rows: z.int() });
