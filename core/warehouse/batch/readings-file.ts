import { readdir, stat } from 'node:fs/promises';
import { types } from 'node:util';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { ROW_LIMITS } from '../../contracts/limits';
import { isNumberType, timestampOfCell, timestampOfColumn } from '../../contracts/timestamps';
import { type Parameters, type SerialConnection } from '../database/connection';
import { MAX_COLUMNS, MAX_LINE_BYTES, SENSOR_NUMERIC_SHARE, SENSOR_SAMPLE_ROWS } from '../limits';
import { firstLine, splitCells } from './csv';
import { DEVICES_FILE, isNoFile } from './devices';

/** Columns that every file of readings has; their names may be written in any case. */
const DEVICE = 'device_id';
const TIMESTAMP = 'timestamp';
const DELIMITERS = [',', ';', '\t', '|'] as const;

interface Columns {
  /** Names as the file has them, in order. */
  readonly names: readonly string[];
  /** Indices of the device's and the timestamp's column. */
  readonly device: number;
  readonly timestamp: number;
}

export interface CsvLayout extends Columns {
  readonly format: 'csv';
  readonly delimiter: string;
}

interface ParquetLayout extends Columns {
  readonly format: 'parquet';
  readonly types: readonly string[];
}

export type Layout = CsvLayout | ParquetLayout;

/** A column of numbers. A `certain` one was seen to hold them, so that anything else in it breaks its row. */
export interface Sensor {
  readonly name: string;
  readonly column: number;
  readonly certain: boolean;
}

export interface ReadingsFile {
  readonly path: string;
  readonly layout: Layout;
  /** Columns beside device and timestamp that hold numbers. */
  readonly sensors: readonly Sensor[];
}

/**
 * Names of the files of readings in a folder (`*.csv`, `*.csv.gz`, `*.parquet`), sorted.
 * @throws FedloopError `InvalidData` when the folder cannot be read.
 */
export async function readingsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new FedloopError('InvalidData', `the folder ${folder} cannot be read: ${messageOf(cause)}`, {
      hint: 'Name a folder with *.csv, *.csv.gz or *.parquet files.',
      cause,
    });
  });
  return names.filter((name) => name !== DEVICES_FILE && /\.(csv|csv\.gz|parquet)$/.test(name)).sort();
}

/** Whether nothing of that name is there. */
export function isMissing(path: string): Promise<boolean> {
  return stat(path).then(
    () => false,
    (cause: unknown) => types.isNativeError(cause) && 'code' in cause && cause.code === 'ENOENT',
  );
}

/** @returns the file with its columns, or why it holds no readings. */
export async function openReadings(
  connection: SerialConnection,
  path: string,
): Promise<ReadingsFile | string> {
  if (await isNoFile(path)) return 'it is no file';
  const layout = path.endsWith('.parquet')
    ? await parquetLayout(connection, path)
    : csvLayout(await firstLine(path));
  if (typeof layout === 'string') return layout;
  return { path, layout, sensors: await sensorsOf(connection, path, layout) };
}

function csvLayout(header: string | undefined): CsvLayout | string {
  if (header === undefined) return 'the file is empty';
  let problem = '';
  for (const delimiter of DELIMITERS) {
    const columns = columnsOf(splitCells(header, delimiter).map((name) => name.trim()));
    if (typeof columns !== 'string') return { format: 'csv', delimiter, ...columns };
    // Of all delimiters the comma is the most likely: its problem is reported.
    problem ||= columns;
  }
  return problem;
}

const describeRow = z.object({ name: z.string(), type: z.string() });

async function parquetLayout(connection: SerialConnection, path: string): Promise<ParquetLayout | string> {
  const described = await connection.rows(
    describeRow,
    'SELECT column_name AS name, column_type AS type FROM (DESCRIBE SELECT * FROM read_parquet($path))',
    { path },
  );
  const columns = columnsOf(described.map(({ name }) => name));
  if (typeof columns === 'string') return columns;
  return { format: 'parquet', types: described.map(({ type }) => type), ...columns };
}

/** @returns a text for names that are not those of readings. */
function columnsOf(names: readonly string[]): Columns | string {
  const lower = names.map((name) => name.toLowerCase());
  const missing = [DEVICE, TIMESTAMP].filter((name) => !lower.includes(name));
  if (missing.length > 0) return `the header has no column ${missing.join(' and no ')}`;
  if (names.length > MAX_COLUMNS)
    return `the header has ${names.length} columns; ${MAX_COLUMNS} are the limit`;
  const twice = names.find((name, index) => lower.indexOf(name.toLowerCase()) < index);
  if (twice !== undefined) return `the header names ${twice} twice`;
  return { names, device: lower.indexOf(DEVICE), timestamp: lower.indexOf(TIMESTAMP) };
}

/** SQL that reads a file, with its parameters. Columns are named by number: names in files never become SQL. */
export interface Source {
  readonly sql: string;
  readonly parameters: Parameters;
}

function csvSource(
  path: string,
  { names, delimiter }: CsvLayout,
  typeOf: (column: number) => string,
  options: string,
): Source {
  const columns = names.map((_, column) => `'c${column}': '${typeOf(column)}'`).join(', ');
  return {
    sql: `read_csv($path, auto_detect = false, header = true, delim = $delimiter, quote = '"', escape = '"',
                   columns = {${columns}}, ${options})`,
    parameters: { path, delimiter },
  };
}

function parquetSource(path: string, { names }: ParquetLayout): Source {
  const columns = names.map((_, column) => `c${column}`).join(', ');
  return { sql: `read_parquet($path) AS readings(${columns})`, parameters: { path } };
}

const sampleRow = z.object({ column: z.int(), filled: z.int(), numeric: z.int() });

async function sensorsOf(connection: SerialConnection, path: string, layout: Layout): Promise<Sensor[]> {
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
  const counts = others.map(
    ({ column }) =>
      `SELECT ${column} AS "column", count(nullif(trim(c${column}), '')) AS filled,
              count(TRY_CAST(c${column} AS DOUBLE)) AS numeric FROM sample`,
  );
  const rows = await connection.rows(
    sampleRow,
    `WITH sample AS MATERIALIZED (SELECT * FROM ${source.sql} LIMIT ${SENSOR_SAMPLE_ROWS}) ${counts.join(' UNION ALL ')}`,
    source.parameters,
  );
  return others.flatMap((other): Sensor[] => {
    const found = rows.find(({ column }) => column === other.column);
    if (found === undefined || found.filled === 0) return [{ ...other, certain: false }];
    return found.numeric / found.filled >= SENSOR_NUMERIC_SHARE ? [{ ...other, certain: true }] : [];
  });
}

/**
 * SQL of a subquery with the columns `device_id`, `timestamp` (TIMESTAMP in UTC or NULL) and `s0`, `s1`, … of the sensors.
 * Rows that the CSV reader refuses go to its tables of rejects; a Parquet file's also have `line` and `spelling`, their timestamp.
 */
export function readingsOf({ path, layout, sensors }: ReadingsFile, strict: boolean): Source {
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
  const timestamp = `c${layout.timestamp}`;
  const numbers = sensors.map(({ column, certain: sure }, index) =>
    sure ? `c${column}::DOUBLE AS s${index}` : `TRY_CAST(c${column} AS DOUBLE) AS s${index}`,
  );
  const columns =
    layout.format === 'csv'
      ? [`${timestampOfCell(timestamp)} AS timestamp`, ...numbers]
      : [
          `${timestampOfColumn(timestamp, layout.types[layout.timestamp] ?? '')} AS timestamp`,
          ...numbers,
          'file_row_number + 1 AS line',
          `${timestamp}::VARCHAR AS spelling`,
        ];
  return {
    sql: `(SELECT c${layout.device}::VARCHAR AS device_id, ${columns.join(', ')} FROM ${source.sql})`,
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
