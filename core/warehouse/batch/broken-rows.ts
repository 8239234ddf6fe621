import { isDeviceIdLength, ROW_LIMITS } from '../../contracts/limits';
import { csvRecords, splitCells } from './csv';
import { parseMoment } from './timestamp-sql';
import { type CsvLayout, type Sensor } from './readings-file';

/** A row of a file that took no part, and why. `line` is null where the whole file is meant or it cannot be known. */
export interface BrokenRow {
  readonly line: number | null;
  readonly reason: string;
  readonly detail: string;
  readonly raw: string;
}

/**
 * Find the lines of rows that DuckDB could read but that say nothing: without a device or a time, or with a number that
 * is none. DuckDB counts such rows and has no line numbers for them, so a file that has any is read once more here.
 */
export async function findBrokenRows(
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

/** Why a row says nothing, or undefined. Cells that are no numbers at all are the reader's to refuse. */
export function judgeCells(
  cells: readonly string[],
  layout: CsvLayout,
  sensors: readonly Sensor[],
): Pick<BrokenRow, 'reason' | 'detail'> | undefined {
  const device = cells[layout.device] ?? '';
  if (device === '') return { reason: 'no-device', detail: 'device_id is empty' };
  if (!isDeviceIdLength(device)) return { reason: 'no-device', detail: 'device_id is too long' };
  const timestamp = cells[layout.timestamp] ?? '';
  if (parseMoment(timestamp) === undefined) {
    return { reason: 'timestamp', detail: 'timestamp is neither ISO 8601 nor epoch milliseconds' };
  }
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
