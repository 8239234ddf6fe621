import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type UnmappedReason } from '../../core/contracts/ingest';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { readCsv, splitCells } from '../../core/warehouse/batch/csv';
import { DEVICES_FILE } from '../../core/warehouse/batch/devices';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { type Cell, toReadableCell } from '../../core/warehouse/database/values';

/** Why a row of a file has no reading: as of a message, or its cells are not those of the header. */
export type RowReason = UnmappedReason | 'bad-row';

/** A row of a file of readings; `line` counts from 1, in Parquet the rows. */
export interface FileRow {
  readonly file: string;
  readonly line: number;
  /** A message's bytes, a table's row by column, or why it is neither. */
  readonly content:
    | { readonly bytes: Uint8Array }
    | { readonly cells: Readonly<Record<string, unknown>> }
    | { readonly reason: RowReason; readonly detail: string };
}

/** A file, what its rows are, and the columns of a table. */
export interface HistoryFile {
  readonly name: string;
  /** Undefined: JSON, a message a line. */
  readonly columns: readonly string[] | undefined;
  readonly rows: () => AsyncGenerator<FileRow>;
}

const FILES = /\.(?:csv|csv\.gz|jsonl|jsonl\.gz|ndjson|ndjson\.gz|parquet)$/;
const DELIMITERS = [',', ';', '\t', '|'] as const;
/** Words that tables have where there is no value. */
const NO_VALUE = /^(?:|na|n\/a|nan|null|none)$/i;
const DECIMAL_COMMA = /^([+-]?\d+),(\d+)$/;

/**
 * Paths of the files of readings that a path means: itself, or those of the folder, by name.
 * @throws FedloopError `InvalidData` when there is none.
 */
export async function historyFiles(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new FedloopError('InvalidData', `${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const names = found.isDirectory()
    ? (await readdir(path)).filter((name) => FILES.test(name) && name !== DEVICES_FILE).sort()
    : [basename(path)].filter((name) => FILES.test(name));
  if (names.length > 0) return found.isDirectory() ? names.map((name) => join(path, name)) : [path];
  throw new FedloopError('InvalidData', `${path} holds no file of readings`, {
    hint: 'Name a file that ends in .csv, .csv.gz, .jsonl, .jsonl.gz or .parquet, or a folder of such files.',
  });
}

/**
 * Open one file of readings.
 * @throws FedloopError `InvalidData` for one without a header, or that DuckDB cannot read.
 */
export async function openHistoryFile(path: string, connection: SerialConnection): Promise<HistoryFile> {
  const name = basename(path);
  if (path.endsWith('.parquet')) return openParquet(path, name, connection);
  if (!/\.csv(?:\.gz)?$/.test(path)) return { name, columns: undefined, rows: () => jsonRows(path, name) };
  const header = await firstText(path);
  if (header === undefined) throw new FedloopError('InvalidData', `${path} is empty`);
  const counts = DELIMITERS.map((delimiter) => splitCells(header, delimiter).length);
  const delimiter = DELIMITERS[counts.indexOf(Math.max(...counts))] ?? ',';
  const columns = splitCells(header, delimiter).map((column) => column.trim());
  return { name, columns, rows: () => csvRows(path, name, columns, delimiter) };
}

async function firstText(path: string): Promise<string | undefined> {
  for await (const { text } of readCsv(path, 'lines')) if (text.trim() !== '') return text;
  return undefined;
}

async function* jsonRows(path: string, file: string): AsyncGenerator<FileRow> {
  for await (const { line, text } of readCsv(path, 'lines')) {
    if (text.trim() !== '') yield { file, line, content: { bytes: Buffer.from(text) } };
  }
}

/** Line by line: a quote that is never closed costs its own line, and hides none behind it. */
async function* csvRows(
  path: string,
  file: string,
  columns: readonly string[],
  delimiter: string,
): AsyncGenerator<FileRow> {
  let isHeader = true;
  for await (const { line, text } of readCsv(path, 'lines')) {
    if (text.trim() === '') continue;
    if (isHeader) {
      isHeader = false;
      continue;
    }
    const cells = splitCells(text, delimiter);
    if (cells.length === columns.length) {
      const named = columns.map((column, at) => [column, cellOf(cells[at] ?? '', delimiter)] as const);
      yield { file, line, content: { cells: Object.fromEntries(named) } };
    } else {
      const detail = `the row has ${cells.length} cells, the header ${columns.length}`;
      yield { file, line, content: { reason: 'bad-row', detail } };
    }
  }
}

/** null where the cell has no value. A decimal comma is possible where commas do not divide cells. */
function cellOf(cell: string, delimiter: string): string | null {
  const text = cell.trim();
  if (NO_VALUE.test(text)) return null;
  return delimiter === ',' ? text : text.replace(DECIMAL_COMMA, '$1.$2');
}

async function openParquet(path: string, name: string, connection: SerialConnection): Promise<HistoryFile> {
  const sql = 'SELECT * FROM read_parquet($path)';
  const columns: string[] = [];
  try {
    const [described] = await connection.chunks(`DESCRIBE ${sql}`, { path });
    for (const column of described?.getColumns()[0] ?? []) columns.push(String(column));
  } catch (cause) {
    throw new FedloopError('InvalidData', `${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  return { name, columns, rows: () => parquetRows(connection, sql, path, name, columns) };
}

async function* parquetRows(
  connection: SerialConnection,
  sql: string,
  path: string,
  file: string,
  columns: readonly string[],
): AsyncGenerator<FileRow> {
  let line = 0;
  for await (const chunk of connection.stream(sql, { path })) {
    for (const row of chunk.convertRows<Cell>(toReadableCell)) {
      line += 1;
      yield {
        file,
        line,
        content: { cells: Object.fromEntries(columns.map((column, at) => [column, row[at]])) },
      };
    }
  }
}
