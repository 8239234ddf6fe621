import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../core/contracts/errors';
import { DEFAULT_TASK, type Sensors, sensorsOf } from '../core/contracts/task';
import { timestampOfCell, timestampOfColumn } from '../core/contracts/timestamps';

export interface DataFolder {
  readonly directory: string;
  /** Column that marks recorded anomalies: a number other than 0, or true. */
  readonly labelColumn?: string | undefined;
  /** What is recorded: the default task's sensors when left out. */
  readonly sensors?: Sensors;
}

/**
 * CSV and Parquet files of a folder, in the order of their names.
 * @throws FedloopError `InvalidData` for a folder that is missing or holds none.
 */
export async function dataFilesIn(directory: string): Promise<readonly string[]> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory() !== true) {
    throw new FedloopError('InvalidData', `there is no data folder ${directory}`, {
      hint: 'Name a folder of CSV or Parquet files, such as data/weather.',
    });
  }
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory() && /\.(csv|csv\.gz|parquet)$/i.test(entry.name))
    .map((entry) => join(directory, entry.name))
    .sort();
  if (files.length === 0) {
    const inside = entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
    throw new FedloopError(
      'InvalidData',
      `the data folder ${directory} holds no .csv, .csv.gz or .parquet file`,
      {
        hint:
          inside.length > 0
            ? `It holds folders: try ${inside.sort()[0] ?? directory}.`
            : 'Put CSV or Parquet files of readings there, or name another folder.',
      },
    );
  }
  return files;
}

/**
 * Every readable row of every file into the table `readings(device_id, micros, label)` with a column for each sensor.
 * @returns how many rows could not be read.
 * @throws FedloopError `InvalidData` for missing columns, a file that is neither CSV nor Parquet, or no readable row at all.
 */
export async function readFiles(
  connection: DuckDBConnection,
  files: readonly string[],
  folder: DataFolder,
): Promise<number> {
  const { sensors = DEFAULT_TASK } = folder;
  const names = sensorsOf(sensors);
  const [target = ''] = names;
  const definitions = names.map((name) => `"${name}" DOUBLE`);
  await connection.run(
    `CREATE TABLE readings (device_id VARCHAR, micros BIGINT, label DOUBLE, ${definitions.join(', ')})`,
  );
  let rows = 0;
  for (const file of files) {
    const source = sourceOf(file);
    const columns = await columnsOf(connection, file, source);
    checkColumns(file, columns, sensors, folder.labelColumn);
    const numberOr = (name: string): string => (columns.has(name) ? finiteNumber(quoted(name)) : 'NULL');
    const label =
      folder.labelColumn === undefined
        ? 'NULL'
        : `coalesce(${finiteNumber(quoted(folder.labelColumn))}, try_cast(try_cast(${quoted(folder.labelColumn)} AS BOOLEAN) AS DOUBLE))`;
    const result = await connection.run(`
      INSERT INTO readings SELECT
        CAST(device_id AS VARCHAR), epoch_us(${timestampIn(file, columns)}),
        ${label}, ${names.map(numberOr).join(', ')}
      FROM ${source}`);
    rows += result.rowsChanged;
  }
  await connection.run(
    `DELETE FROM readings WHERE micros IS NULL OR "${target}" IS NULL OR device_id IS NULL OR trim(device_id) = ''`,
  );
  const kept = Number((await valuesOf(connection, 'SELECT count(*) FROM readings'))[0]?.[0] ?? 0);
  if (kept === 0) {
    throw new FedloopError(
      'InvalidData',
      `none of the ${rows} rows in ${folder.directory} has a device, a readable time and a ${target}`,
      {
        hint: 'Timestamps are ISO 8601, such as 2024-01-01T00:00:00Z, or milliseconds since 1970; readings are numbers.',
      },
    );
  }
  return rows - kept;
}

function isParquet(file: string): boolean {
  return /\.parquet$/i.test(file);
}

function sourceOf(file: string): string {
  const path = `'${file.replaceAll("'", "''")}'`;
  // A broken line costs that line alone; every column comes as text, so that one odd value does not change a column's type.
  return isParquet(file)
    ? `read_parquet(${path})`
    : `read_csv(${path}, header = true, all_varchar = true, ignore_errors = true, null_padding = true)`;
}

/** Type of each column, by its name in lower case. */
async function columnsOf(
  connection: DuckDBConnection,
  file: string,
  source: string,
): Promise<ReadonlyMap<string, string>> {
  try {
    const rows = await valuesOf(connection, `DESCRIBE SELECT * FROM ${source}`);
    return new Map(rows.map(([name, type]) => [String(name).toLowerCase(), String(type)]));
  } catch (cause) {
    throw new FedloopError(
      'InvalidData',
      `${file} cannot be read: ${messageOf(cause).split('\n')[0] ?? ''}`,
      {
        hint: 'Take it out of the folder, or write it again as CSV with a header line or as Parquet.',
        cause,
      },
    );
  }
}

function checkColumns(
  file: string,
  columns: ReadonlyMap<string, string>,
  sensors: Sensors,
  labelColumn: string | undefined,
): void {
  const [target = '', ...optional] = sensorsOf(sensors);
  const required = ['device_id', 'timestamp', target];
  const missing = required.filter((name) => !columns.has(name));
  if (missing.length > 0) {
    throw new FedloopError('InvalidData', `${file} has no column ${missing.join(', ')}`, {
      hint: `Files need ${required.join(', ')}, and may have ${optional.join(', ')}; this one has ${[...columns.keys()].join(', ')}.`,
    });
  }
  if (labelColumn !== undefined && !columns.has(labelColumn.toLowerCase())) {
    throw new FedloopError(
      'InvalidData',
      `${file} has no column ${labelColumn}, which --label-column names`,
      {
        hint: `It has ${[...columns.keys()].join(', ')}.`,
      },
    );
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** NULL for what is no number, NaN or infinite. */
function finiteNumber(column: string): string {
  return `CASE WHEN isfinite(try_cast(${column} AS DOUBLE)) THEN try_cast(${column} AS DOUBLE) END`;
}

function timestampIn(file: string, columns: ReadonlyMap<string, string>): string {
  const column = '"timestamp"';
  return isParquet(file)
    ? timestampOfColumn(column, columns.get('timestamp') ?? '')
    : timestampOfCell(column);
}

export async function valuesOf(connection: DuckDBConnection, sql: string): Promise<DuckDBValue[][]> {
  return (await connection.runAndReadAll(sql)).getRows();
}
