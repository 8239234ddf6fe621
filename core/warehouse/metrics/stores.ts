import { stat } from 'node:fs/promises';
import { z } from 'zod';
import { type SerialConnection } from '../database/connection';
import { counter, gauge, type TableFigures } from './table-figures';

const FIGURES = {
  fedloop_rejected_rows: gauge('Rows of rejected_rows, by source and reason.', 'source', 'reason'),
  fedloop_sink_records_lost_total: counter(
    'Records that a topic let go before they were stored, over all restarts.',
    'topic',
  ),
  fedloop_sink_records_lost_timestamp_seconds: gauge(
    'When the latest of those records were noticed, in Unix time.',
    'topic',
  ),
  fedloop_batch_files: gauge('Files that batch results are made of.'),
  fedloop_batch_rows: gauge('Readings in those files.'),
  fedloop_batch_rejected_rows: gauge('Broken rows in those files.'),
  fedloop_batch_results: gauge('Rows of batch_analysis_results: device, day and sensor.'),
  fedloop_batch_latest_day_timestamp_seconds: gauge(
    'Start of the latest day with batch results, in seconds since 1970 of event time.',
  ),
  fedloop_latest_window_timestamp_seconds: gauge(
    'End of the latest complete window that was evaluated, in seconds since 1970 of event time.',
  ),
  fedloop_warehouse_table_rows: gauge(
    'Rows of a table as DuckDB estimates them; rows that were deleted may still count.',
    'table',
  ),
  fedloop_warehouse_memory_bytes: gauge(
    'Memory that DuckDB holds, most of it blocks of the file: it grows up to its limit of 512 MB, and no further.',
  ),
  fedloop_warehouse_size_bytes: gauge('Size of the DuckDB file and of its write-ahead log.', 'file'),
};

const rejectedRow = z.object({ source: z.string(), reason: z.string(), n: z.int() });
const lostRow = z.object({ topic: z.string(), records: z.number(), noticed: z.number() });
const batchRow = z.object({
  files: z.int(),
  rows: z.int(),
  rejected: z.int(),
  results: z.int(),
  latestDay: z.number().nullable(),
  latestWindow: z.number().nullable(),
});
const memoryRow = z.object({ bytes: z.number().nullable() });
const tableRow = z.object({ name: z.string(), rows: z.int() });

/** Contents of the tables: rejects, records that were lost, batch results, sizes. */
export function storeFigures(figures: TableFigures, connection: SerialConnection, path: string): void {
  figures.read(FIGURES, async (put) => {
    const rejects = await connection.rows(
      rejectedRow,
      'SELECT source, reason, count(*) AS n FROM rejected_rows GROUP BY ALL',
    );
    for (const { source, reason, n } of rejects) put('fedloop_rejected_rows', n, source, reason);
    const lost = await connection.rows(
      lostRow,
      `SELECT topic, sum(until_offset - from_offset)::DOUBLE AS records, epoch(max(noticed_at)) AS noticed
         FROM lost_records GROUP BY topic`,
    );
    for (const { topic, records, noticed } of lost) {
      put('fedloop_sink_records_lost_total', records, topic);
      put('fedloop_sink_records_lost_timestamp_seconds', noticed, topic);
    }
    const [batch] = await connection.rows(
      batchRow,
      `SELECT count(*) AS files, coalesce(sum(rows), 0)::BIGINT AS rows, coalesce(sum(rejected), 0)::BIGINT AS rejected,
              (SELECT count(*) FROM batch_analysis_results) AS results,
              (SELECT epoch(max(day)) FROM batch_analysis_results) AS "latestDay",
              (SELECT epoch(max(window_end)) FROM model_feedback WHERE scope = 'window') AS "latestWindow"
       FROM batch_files`,
    );
    put('fedloop_batch_files', batch?.files);
    put('fedloop_batch_rows', batch?.rows);
    put('fedloop_batch_rejected_rows', batch?.rejected);
    put('fedloop_batch_results', batch?.results);
    put('fedloop_batch_latest_day_timestamp_seconds', batch?.latestDay);
    put('fedloop_latest_window_timestamp_seconds', batch?.latestWindow);
    const tables = await connection.rows(
      tableRow,
      `SELECT table_name AS name, estimated_size AS rows FROM duckdb_tables() WHERE NOT internal AND NOT temporary`,
    );
    for (const { name, rows } of tables) put('fedloop_warehouse_table_rows', rows, name);
    const [memory] = await connection.rows(
      memoryRow,
      'SELECT sum(memory_usage_bytes)::DOUBLE AS bytes FROM duckdb_memory()',
    );
    put('fedloop_warehouse_memory_bytes', memory?.bytes);
    put('fedloop_warehouse_size_bytes', await sizeOf(path), 'database');
    put('fedloop_warehouse_size_bytes', await sizeOf(`${path}.wal`), 'write-ahead-log');
  });
}

/** 0 for a write-ahead log that does not exist because it is empty. */
async function sizeOf(path: string): Promise<number> {
  const file = await stat(path).catch(() => undefined);
  return file?.size ?? 0;
}
