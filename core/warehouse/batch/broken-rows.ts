import { z } from 'zod';
import { isDeviceIdText, ROW_LIMITS } from '../../contracts/limits';
import { microsOfCell } from '../../contracts/timestamps';
import { type SerialConnection } from '../database/connection';
import { readCsv, splitCells } from './csv';
import { areFinite, readingsOf, type CsvLayout, type Layout, type ReadingsFile } from './readings-file';

/**
 * A row of a file that was not counted, and why. `line` counts a Parquet file's rows from 1; it is null for a whole file and where
 * it cannot be known.
 */
export interface BrokenRow {
  readonly line: number | null;
  readonly reason: string;
  readonly detail: string;
  readonly raw: string;
}

/**
 * Find the rows that DuckDB could read and that hold no reading: without a device or a timestamp, or with a number that is not finite.
 * DuckDB counts such rows and, in CSV, has no line numbers for them, so a file that has any is read once more.
 */
export function findBrokenRows(
  connection: SerialConnection,
  file: ReadingsFile,
  limit: number,
): Promise<BrokenRow[]> {
  return file.layout.format === 'csv'
    ? brokenLines(file, file.layout, limit)
    : brokenParquetRows(connection, file, limit);
}

async function brokenLines(file: ReadingsFile, layout: CsvLayout, limit: number): Promise<BrokenRow[]> {
  const broken: BrokenRow[] = [];
  for await (const { line, text } of readCsv(file.path, 'records')) {
    if (line === 1 || text === '') continue;
    const cells = splitCells(text, layout.delimiter);
    // Records with another number of cells are refused by the reader.
    if (cells.length !== layout.names.length) continue;
    const found = judgeCells(cells, file);
    if (found !== undefined) broken.push({ line, ...found, raw: text });
    if (broken.length >= limit) break;
  }
  return broken;
}

const parquetRow = z.object({
  line: z.int(),
  reason: z.enum(['no-device', 'bad-timestamp', 'not-finite']),
  raw: z.string(),
});

/** Their raw text is the timestamp as DuckDB writes it. */
async function brokenParquetRows(
  connection: SerialConnection,
  file: ReadingsFile,
  limit: number,
): Promise<BrokenRow[]> {
  const details = {
    'no-device': 'device_id is empty or too long',
    'bad-timestamp': badTimestamp(file.layout),
    'not-finite': 'a reading is not a finite number',
  };
  const readings = readingsOf(file, true);
  const rows = await connection.rows(
    parquetRow,
    `SELECT line, reason, coalesce(spelling, '') AS raw FROM (
       SELECT *, CASE WHEN coalesce(device_id, '') = '' OR length(device_id) > ${ROW_LIMITS.deviceIdCharacters} THEN 'no-device'
                      WHEN timestamp IS NULL THEN 'bad-timestamp' WHEN NOT (${areFinite(file.sensors)}) THEN 'not-finite' END AS reason
       FROM ${readings.sql}) WHERE reason IS NOT NULL ORDER BY line LIMIT ${limit}`,
    readings.parameters,
  );
  return rows.map((row) => ({ ...row, detail: details[row.reason] }));
}

function badTimestamp({ names, timestamp }: Layout): string {
  return `column ${timestamp + 1}, ${names[timestamp] ?? ''}, is neither ISO 8601 nor epoch milliseconds`;
}

/** Why a row holds no reading, or undefined. Cells that are no numbers at all are refused by the reader. */
function judgeCells(
  cells: readonly string[],
  { layout, sensors }: ReadingsFile,
): Pick<BrokenRow, 'reason' | 'detail'> | undefined {
  const device = cells[layout.device] ?? '';
  if (device === '') return { reason: 'no-device', detail: 'device_id is empty' };
  if (!isDeviceIdText(device)) return { reason: 'no-device', detail: 'device_id is too long' };
  if (Number.isNaN(microsOfCell(cells[layout.timestamp] ?? '')))
    return { reason: 'bad-timestamp', detail: badTimestamp(layout) };
  for (const { name, column, certain } of sensors) {
    const cell = (cells[column] ?? '').trim();
    if (!certain || cell === '') continue;
    const value = numberOf(cell);
    if (value !== undefined && !(Math.abs(value) <= ROW_LIMITS.reading)) {
      return { reason: 'not-finite', detail: `${name} is not a finite number` };
    }
  }
  return undefined;
}

/** As DuckDB reads a double: `nan`, `inf` and overlong exponents are numbers to it. */
function numberOf(cell: string): number | undefined {
  if (/^[+-]?nan$/i.test(cell)) return Number.NaN;
  const infinite = /^([+-]?)inf(inity)?$/i.exec(cell);
  if (infinite !== null) return infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = Number(cell);
  return Number.isNaN(value) ? undefined : value;
}
