import { ROW_LIMITS } from '../../contracts/limits';
import { isNumberType, timestampOfCell, timestampOfColumn } from '../../contracts/timestamps';
import { splitCells, firstRecord } from './csv';
import { MAX_COLUMNS, MAX_LINE_BYTES, SENSOR_NUMERIC_SHARE, SENSOR_SAMPLE_ROWS } from '../limits';
import { z } from 'zod';
import { type SerialConnection, type Parameters } from '../database/connection';

/** Columns that every file of readings has; their names may be written in any case. */
const DEVICE = 'device_id';
const TIMESTAMP = 'timestamp';
const DELIMITERS = [',', ';', '\t', '|'] as const;

export interface CsvLayout {
  readonly format: 'csv';
  readonly delimiter: string;
  /** Names as the header has them, in order. */
  readonly names: readonly string[];
  readonly device: number;
  readonly timestamp: number;
}

export interface ParquetLayout {
  readonly format: 'parquet';
  readonly names: readonly string[];
  readonly types: readonly string[];
  readonly device: number;
  readonly timestamp: number;
}

export type Layout = CsvLayout | ParquetLayout;

/** A column of numbers. A `certain` one was seen to hold them, so that anything else in it breaks its row. */
export interface Sensor {
  readonly name: string;
  readonly column: number;
  readonly certain: boolean;
}

/**
 * What the file's columns are.
 * @returns a text that says why it holds no readings.
 */
export async function layoutOf(connection: SerialConnection, path: string): Promise<Layout | string> {
  return path.endsWith('.parquet') ? parquetLayout(connection, path) : csvLayout(await firstRecord(path));
}

/** The layout that a header line tells of, or why it is none. */
export function csvLayout(header: string | undefined): CsvLayout | string {
  if (header === undefined) return 'the file is empty';
  for (const delimiter of DELIMITERS) {
    const names = splitCells(header, delimiter).map((name) => name.trim());
    const keys = keysOf(names);
    if (typeof keys !== 'string') return { format: 'csv', delimiter, names, ...keys };
  }
  return whyNot(splitCells(header, ',').map((name) => name.trim()));
}

interface Keys {
  readonly device: number;
  readonly timestamp: number;
}

function keysOf(names: readonly string[]): Keys | string {
  const lower = names.map((name) => name.toLowerCase());
  const device = lower.indexOf(DEVICE);
  const timestamp = lower.indexOf(TIMESTAMP);
  return device < 0 || timestamp < 0 || new Set(lower).size < lower.length || names.length > MAX_COLUMNS
    ? whyNot(names)
    : { device, timestamp };
}

function whyNot(names: readonly string[]): string {
  const lower = names.map((name) => name.toLowerCase());
  const missing = [DEVICE, TIMESTAMP].filter((name) => !lower.includes(name));
  if (missing.length > 0) return `the header has no column ${missing.join(' and no ')}`;
  if (names.length > MAX_COLUMNS)
    return `the header has ${names.length} columns; ${MAX_COLUMNS} are the limit`;
  const twice = names.find((name, index) => lower.indexOf(name.toLowerCase()) < index);
  return `the header names ${twice ?? 'a column'} twice`;
}

const describeRow = z.object({ column_name: z.string(), column_type: z.string() });

async function parquetLayout(connection: SerialConnection, path: string): Promise<ParquetLayout | string> {
  const columns = await connection.rows(describeRow, 'DESCRIBE SELECT * FROM read_parquet($path)', { path });
  const names = columns.map(({ column_name }) => column_name);
  const keys = keysOf(names);
  if (typeof keys === 'string') return keys;
  return { format: 'parquet', names, types: columns.map(({ column_type }) => column_type), ...keys };
}

/** SQL that reads a file, with the parameters it takes. Columns are named by number: names in files never become SQL. */
export interface Source {
  readonly sql: string;
  readonly parameters: Parameters;
}

function csvSource(
  path: string,
  layout: CsvLayout,
  typeOf: (column: number) => string,
  options: string,
): Source {
  const columns = layout.names.map((_, column) => `'c${column}': '${typeOf(column)}'`).join(', ');
  return {
    sql: `read_csv($path, auto_detect = false, header = true, delim = $delimiter, quote = '"', escape = '"',
                   columns = {${columns}}, ${options})`,
    parameters: { path, delimiter: layout.delimiter },
  };
}

function parquetSource(path: string, layout: ParquetLayout): Source {
  const columns = layout.names.map((_, column) => `c${column}`).join(', ');
  return { sql: `read_parquet($path) AS readings(${columns})`, parameters: { path } };
}

const sampleRow = z.object({ column_number: z.int(), filled: z.int(), numeric: z.int() });

/** Columns beside device and timestamp that hold numbers. */
export async function sensorsOf(
  connection: SerialConnection,
  path: string,
  layout: Layout,
): Promise<Sensor[]> {
  const others = layout.names.flatMap((name, column) =>
    column === layout.device || column === layout.timestamp ? [] : [{ name, column }],
  );
  if (layout.format === 'parquet') {
    return others
      .filter(({ column }) => isNumberType(layout.types[column] ?? ''))
      .map((other) => ({ ...other, certain: true }));
  }
  if (others.length === 0) return [];
  const source = csvSource(
    path,
    layout,
    () => 'VARCHAR',
    // A sample needs no buffers of the usual 32 MB.
    `ignore_errors = true, strict_mode = false, null_padding = true, buffer_size = ${2 * MAX_LINE_BYTES}`,
  );
  const counts = others
    .map(
      ({ column }) =>
        `SELECT ${column} AS column_number, count(nullif(trim(c${column}), '')) AS filled,
                count(TRY_CAST(c${column} AS DOUBLE)) AS numeric FROM sample`,
    )
    .join(' UNION ALL ');
  const rows = await connection.rows(
    sampleRow,
    `WITH sample AS MATERIALIZED (SELECT * FROM ${source.sql} LIMIT ${SENSOR_SAMPLE_ROWS}) ${counts}`,
    source.parameters,
  );
  return others.flatMap((other): Sensor[] => {
    const found = rows.find(({ column_number }) => column_number === other.column);
    if (found === undefined || found.filled === 0) return [{ ...other, certain: false }];
    return found.numeric / found.filled >= SENSOR_NUMERIC_SHARE ? [{ ...other, certain: true }] : [];
  });
}

/**
 * SQL of a subquery with the columns `device_id`, `timestamp` (TIMESTAMP in UTC or NULL) and `s0`, `s1`, … of the sensors.
 * Rows that the CSV reader refuses go to its tables of rejects; a Parquet file's also have `line` and `spelling`, their timestamp.
 */
export function readingsOf(
  path: string,
  layout: Layout,
  sensors: readonly Sensor[],
  strict: boolean,
): Source {
  const certain = new Set(sensors.filter((sensor) => sensor.certain).map(({ column }) => column));
  const source =
    layout.format === 'csv'
      ? csvSource(
          path,
          layout,
          (column) => (certain.has(column) ? 'DOUBLE' : 'VARCHAR'),
          `store_rejects = true, strict_mode = ${strict}`,
        )
      : parquetSource(path, layout);
  const columns = [
    `c${layout.device}::VARCHAR AS device_id`,
    `${timestampIn(layout)} AS timestamp`,
    ...sensors.map(({ column, certain: sure }, index) =>
      sure ? `c${column}::DOUBLE AS s${index}` : `TRY_CAST(c${column} AS DOUBLE) AS s${index}`,
    ),
    ...(layout.format === 'csv'
      ? []
      : ['file_row_number + 1 AS line', `c${layout.timestamp}::VARCHAR AS spelling`]),
  ];
  return {
    sql: `(SELECT ${columns.join(', ')} FROM ${source.sql})`,
    parameters: source.parameters,
  };
}

/** SQL that is true for a row of `readingsOf` whose readings are finite or missing. */
export function areFinite(sensors: readonly Sensor[]): string {
  const each = sensors.map(
    (_, index) => `coalesce(abs(s${index}) <= ${ROW_LIMITS.reading}, s${index} IS NULL)`,
  );
  return ['true', ...each].join(' AND ');
}

function timestampIn(layout: Layout): string {
  const column = `c${layout.timestamp}`;
  if (layout.format === 'csv') return timestampOfCell(column);
  return timestampOfColumn(column, layout.types[layout.timestamp] ?? '');
}
