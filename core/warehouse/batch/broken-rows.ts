import { z } from 'zod';
import { isDeviceIdLength, ROW_LIMITS } from '../../contracts/limits';
import { microsOfCell } from '../../contracts/timestamps';
import { type SerialConnection } from '../database/connection';
import { csvRecords, splitCells } from './csv';
import { areFinite, readingsOf, type CsvLayout, type Layout, type Sensor } from './readings-file';

/**
 * A row of a file that took no part, and why. `line` counts a Parquet file's rows from 1; it is null where the whole file is meant
 * or it cannot be known.
 */
export interface BrokenRow {
  readonly line: number | null;
  readonly reason: string;
  readonly detail: string;
  readonly raw: string;
}

/**
 * Find the rows that DuckDB could read but that say nothing: without a device or a time, or with a number that is none. DuckDB
 * counts such rows and, in CSV, has no line numbers for them, so a file that has any is read once more.
 */
export function findBrokenRows(
  connection: SerialConnection,
  path: string,
  layout: Layout,
  sensors: readonly Sensor[],
  limit: number,
): Promise<BrokenRow[]> {
  return layout.format === 'csv'
    ? brokenLines(path, layout, sensors, limit)
    : brokenParquetRows(connection, path, layout, sensors, limit);
}

async function brokenLines(
  path: string,
  layout: CsvLayout,
  sensors: readonly Sensor[],
  limit: number,
): Promise<BrokenRow[]> {
  const broken: BrokenRow[] = [];
  for await (const { line, text } of csvRecords(path)) {
    if (line === 1 || text === '') continue;
    const cells = splitCells(text, layout.delimiter);
    // Other numbers of cells are the reader's to refuse.
    if (cells.length !== layout.names.length) continue;
    const found = judgeCells(cells, layout, sensors);
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
  path: string,
  layout: Layout,
  sensors: readonly Sensor[],
  limit: number,
): Promise<BrokenRow[]> {
  const details = {
    'no-device': 'device_id is empty or too long',
    'bad-timestamp': badTimestamp(layout),
    'not-finite': 'a reading is not a finite number',
  };
  const readings = readingsOf(path, layout, sensors, true);
  const rows = await connection.rows(
    parquetRow,
    `SELECT line, reason, coalesce(spelling, '') AS raw FROM (
       SELECT *, CASE WHEN coalesce(device_id, '') = '' OR length(device_id) > ${ROW_LIMITS.deviceIdCharacters} THEN 'no-device'
                      WHEN timestamp IS NULL THEN 'bad-timestamp' WHEN NOT (${areFinite(sensors)}) THEN 'not-finite' END AS reason
       FROM ${readings.sql}) WHERE reason IS NOT NULL ORDER BY line LIMIT ${limit}`,
    readings.parameters,
  );
  return rows.map((row) => ({ ...row, detail: details[row.reason] }));
}

function badTimestamp({ names, timestamp }: Layout): string {
  return `column ${timestamp + 1}, ${names[timestamp] ?? ''}, is neither ISO 8601 nor epoch milliseconds`;
}

/** Why a row says nothing, or undefined. Cells that are no numbers at all are the reader's to refuse. */
function judgeCells(
  cells: readonly string[],
  layout: CsvLayout,
  sensors: readonly Sensor[],
): Pick<BrokenRow, 'reason' | 'detail'> | undefined {
  const device = cells[layout.device] ?? '';
  if (device === '') return { reason: 'no-device', detail: 'device_id is empty' };
  if (!isDeviceIdLength(device)) return { reason: 'no-device', detail: 'device_id is too long' };
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
