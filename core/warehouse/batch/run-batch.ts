import { createHash } from 'node:crypto';
import { open, readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type BatchResult } from '../../contracts/steps';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { beginTouching, mergeTouched, touch } from './merge';
import { type BrokenRow } from './broken-rows';
import { appendChunks, tableInFile, REJECTED_TABLE, RowBuffer } from '../database/columns';
import { type SerialConnection, type Statements } from '../database/connection';
import { DEVICES_FILE, loadDevices } from './devices';
import { FileCounter, type FileCount } from './file-counter';
import { FILES_PER_TRANSACTION, MAX_RAW_BYTES } from '../limits';
import { insertRow } from '../database/insert';
import { list, timestamp } from '../database/values';

export interface BatchOptions {
  readonly signal?: AbortSignal;
  readonly threads?: number;
  /** After each file. */
  readonly onProgress?: (progress: { readonly done: number; readonly files: number }) => void;
}

/** A file as it lies in the folder. */
interface FoundFile {
  readonly path: string;
  readonly size: number;
  readonly modifiedMicros: number;
}

const knownRow = z.object({ file: z.string(), size: z.int(), modified: z.int(), sha256: z.string() });
type KnownFile = z.infer<typeof knownRow>;

interface Counted {
  readonly file: FoundFile;
  readonly sha256: string;
  readonly count: FileCount;
}

/**
 * Count `*.csv`, `*.csv.gz` and `*.parquet` of a folder into `batch_analysis_results`: per device, UTC day and sensor AVG,
 * MIN, MAX, sample STDDEV and COUNT. A file whose size and time are unchanged is not read, one whose content is unchanged
 * not counted, a changed one is counted alone, and what a file said goes when the file goes. Running again changes nothing.
 * @throws FedloopError `InvalidData` when the folder is not there; `Interrupted` when `signal` aborts (what was counted
 * until then is kept).
 */
export async function runBatch(
  connection: SerialConnection,
  directory: string,
  options: BatchOptions = {},
): Promise<BatchResult> {
  const started = performance.now();
  const folder = resolve(directory);
  const found = await filesOf(folder);
  await loadDevices(connection, join(folder, DEVICES_FILE));
  const known = new Map(
    (
      await connection.rows(
        knownRow,
        'SELECT file, size, modified, sha256 FROM batch_files WHERE starts_with(file, $folder)',
        {
          folder: join(folder, '/'),
        },
      )
    ).map((row) => [row.file, row]),
  );
  const gone = [...known.keys()].filter((file) => !found.some(({ path }) => path === file));
  if (gone.length > 0) await connection.transaction((inside) => forget(inside, gone));

  const counter = await FileCounter.open(options.threads);
  let counted = 0;
  let rows = 0;
  let rejectedRows = 0;
  let ready: Counted[] = [];
  const store = async (): Promise<void> => {
    const group = ready;
    ready = [];
    if (group.length > 0) await connection.transaction((inside) => storeGroup(inside, group));
  };
  try {
    for (const [index, file] of found.entries()) {
      if (options.signal?.aborted === true)
        throw new FedloopError('Interrupted', 'the batch run was called off');
      const result = await countIfChanged(connection, counter, file, known.get(file.path));
      if (result !== undefined) {
        counted += 1;
        rows += result.count.rows;
        rejectedRows += result.count.rejected;
        ready.push(result);
        if (ready.length >= FILES_PER_TRANSACTION) await store();
      }
      options.onProgress?.({ done: index + 1, files: found.length });
    }
  } finally {
    await store();
    await counter.close();
  }
  const [total] = await connection.rows(totalRow, 'SELECT count(*) AS results FROM batch_analysis_results');
  return {
    files: { counted, unchanged: found.length - counted, removed: gone.length },
    rows,
    rejectedRows,
    results: total?.results ?? 0,
    seconds: (performance.now() - started) / 1_000,
  };
}

const totalRow = z.object({ results: z.int() });

async function filesOf(folder: string): Promise<FoundFile[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new FedloopError('InvalidData', `the folder ${folder} cannot be read: ${messageOf(cause)}`, {
      hint: 'Name a folder with *.csv, *.csv.gz or *.parquet files.',
      cause,
    });
  });
  const files: FoundFile[] = [];
  for (const name of names.sort()) {
    if (name === DEVICES_FILE || !/\.(csv|csv\.gz|parquet)$/.test(name)) continue;
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    // A file may go between listing and looking; a folder may have any name.
    if (info?.isFile() !== true) continue;
    files.push({ path, size: info.size, modifiedMicros: Math.round(info.mtimeMs * MICROS_PER_MILLI) });
  }
  return files;
}

/** @returns undefined when the file says what it said before. */
async function countIfChanged(
  connection: SerialConnection,
  counter: FileCounter,
  file: FoundFile,
  known: KnownFile | undefined,
): Promise<Counted | undefined> {
  if (known?.size === file.size && known.modified === file.modifiedMicros) return undefined;
  if (known === undefined) {
    // Nothing to compare with: hash and count at the same time.
    const [sha256, count] = await Promise.all([hashOf(file.path), counter.count(file.path, file.path)]);
    return { file, sha256, count };
  }
  const sha256 = await hashOf(file.path);
  if (sha256 !== known.sha256) return { file, sha256, count: await counter.count(file.path, file.path) };
  await connection.run('UPDATE batch_files SET size = $size, modified = $modified WHERE file = $file', {
    file: file.path,
    size: BigInt(file.size),
    modified: timestamp(file.modifiedMicros),
  });
  return undefined;
}

/** SHA-256 of the content; the empty text for a file that cannot be read, which is then looked at again each time. */
async function hashOf(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  const hash = createHash('sha256');
  // One buffer for the whole file: a stream's new buffers cost half as much again as the hash.
  const piece = Buffer.allocUnsafe(1_048_576);
  try {
    for (let bytes = piece.length; bytes > 0; hash.update(piece.subarray(0, bytes)))
      bytes = (await file.read(piece)).bytesRead;
    return hash.digest('hex');
  } catch {
    return '';
  } finally {
    await file.close();
  }
}

/** Put new counts in the place of old ones, and merge again what they touch. */
async function storeGroup(inside: Statements, group: readonly Counted[]): Promise<void> {
  const files = group.map(({ file }) => file.path);
  await beginTouching(inside);
  await touch(inside, files);
  await dropFiles(inside, files);
  for (const { file, sha256, count } of group) {
    await appendChunks(inside.raw, 'batch_partials', count.partials);
    await appendBroken(inside, file.path, count.broken);
    const row = {
      file: file.path,
      size: BigInt(file.size),
      modified: timestamp(file.modifiedMicros),
      sha256,
      rows: BigInt(count.rows),
      rejected: BigInt(count.rejected),
    };
    await insertRow(inside, 'batch_files', row, 'fail');
  }
  await touch(inside, files);
  await mergeTouched(inside);
}

async function forget(inside: Statements, files: readonly string[]): Promise<void> {
  await beginTouching(inside);
  await touch(inside, files);
  await dropFiles(inside, files);
  await mergeTouched(inside);
}

async function dropFiles(inside: Statements, files: readonly string[]): Promise<void> {
  const parameters = { files: list(files, VARCHAR) };
  await inside.run('DELETE FROM batch_partials WHERE file IN (SELECT unnest($files))', parameters);
  await inside.run('DELETE FROM batch_files WHERE file IN (SELECT unnest($files))', parameters);
  await inside.run(
    "DELETE FROM rejected_rows WHERE source = 'batch' AND file IN (SELECT unnest($files))",
    parameters,
  );
}

async function appendBroken(inside: Statements, file: string, broken: readonly BrokenRow[]): Promise<void> {
  const buffer = new RowBuffer(await tableInFile(inside, REJECTED_TABLE));
  const rows = broken.map(({ reason, detail, line, raw }) => ({
    source: 'batch' as const,
    reason,
    detail,
    partition: null,
    offset: null,
    file,
    line,
    raw: raw.slice(0, MAX_RAW_BYTES),
    recordMillis: null,
  }));
  buffer.append(rows.length, rows);
  await buffer.flush(inside.raw);
}
