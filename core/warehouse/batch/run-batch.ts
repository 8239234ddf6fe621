import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { type BatchResult } from '../../contracts/batch-result';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type BrokenRow } from './broken-rows';
import { appendChunks, tableInFile, REJECTED_TABLE, RowBuffer } from '../database/columns';
import { type SerialConnection, type Statements } from '../database/connection';
import { DEVICES_FILE, loadDevices } from './devices';
import { FileCounter, type FileCount } from './file-counter';
import { FILES_PER_TRANSACTION, MAX_RAW_BYTES } from '../limits';
import { insertRow } from '../database/insert';
import { list, timestamp } from '../database/values';
import { changePartials } from './merge';
import { isMissing, readingsIn } from './readings-file';

export interface BatchOptions {
  readonly signal?: AbortSignal;
  /** After each file. */
  readonly onProgress?: (progress: { readonly done: number; readonly files: number }) => void;
  /** A fleet with a stream alone has no such folder. One that files were counted of must be there: they would be taken for removed. */
  readonly mayBeMissing?: boolean;
}

/** A file in the folder. */
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
 * not counted, a changed one is counted alone, and the counts of a file that is gone are removed. Running again changes nothing.
 * @throws FedloopError `InvalidData` when the folder does not exist and must; `Interrupted` when `signal` aborts (counts until then are
 * stored).
 */
export async function runBatch(
  connection: SerialConnection,
  directory: string,
  options: BatchOptions = {},
): Promise<BatchResult> {
  const started = performance.now();
  const folder = resolve(directory);
  const rows = await connection.rows(
    knownRow,
    'SELECT file, size, modified, sha256 FROM batch_files WHERE starts_with(file, $folder)',
    { folder: join(folder, '/') },
  );
  const mayBeMissing = options.mayBeMissing === true && rows.length === 0;
  const found = mayBeMissing && (await isMissing(folder)) ? [] : await filesOf(folder);
  await loadDevices(connection, join(folder, DEVICES_FILE));
  const known = new Map(rows.map((row) => [row.file, row]));
  const gone = [...known.keys()].filter((file) => !found.some(({ path }) => path === file));
  const replace = (files: readonly string[], counts: readonly Counted[]): Promise<void> =>
    connection.transaction((inside) =>
      changePartials(inside, files, () => replaceFiles(inside, files, counts)),
    );
  if (gone.length > 0) await replace(gone, []);

  const counter = await FileCounter.open();
  let counted = 0;
  const sums = { rows: 0, rejectedRows: 0 };
  let ready: Counted[] = [];
  const store = async (): Promise<void> => {
    const group = ready;
    ready = [];
    if (group.length > 0)
      await replace(
        group.map(({ file }) => file.path),
        group,
      );
  };
  try {
    for (const [index, file] of found.entries()) {
      if (options.signal?.aborted === true)
        throw new FedloopError('Interrupted', 'the batch run was cancelled');
      const result = await countIfChanged(connection, counter, file, known.get(file.path));
      if (result !== undefined) {
        counted += 1;
        sums.rows += result.count.rows;
        sums.rejectedRows += result.count.rejected;
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
    ...sums,
    results: total?.results ?? 0,
    seconds: (performance.now() - started) / 1_000,
  };
}

const totalRow = z.object({ results: z.int() });

async function filesOf(folder: string): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  for (const name of await readingsIn(folder)) {
    const path = join(folder, name);
    const info = await stat(path).catch(() => undefined);
    // A file may be removed after it was listed; a folder may have any name.
    if (info?.isFile() !== true) continue;
    files.push({ path, size: info.size, modifiedMicros: Math.round(info.mtimeMs * MICROS_PER_MILLI) });
  }
  return files;
}

/** @returns undefined when the content of the file is unchanged. */
async function countIfChanged(
  connection: SerialConnection,
  counter: FileCounter,
  file: FoundFile,
  known: KnownFile | undefined,
): Promise<Counted | undefined> {
  if (known?.size === file.size && known.modified === file.modifiedMicros) return undefined;
  if (known === undefined) {
    // Nothing to compare with: hash and count at the same time.
    const [sha256, count] = await Promise.all([hashOf(file.path), counter.count(file.path)]);
    return { file, sha256, count };
  }
  const sha256 = await hashOf(file.path);
  if (sha256 !== known.sha256) return { file, sha256, count: await counter.count(file.path) };
  await connection.run('UPDATE batch_files SET size = $size, modified = $modified WHERE file = $file', {
    file: file.path,
    size: BigInt(file.size),
    modified: timestamp(file.modifiedMicros),
  });
  return undefined;
}

/** SHA-256 of the content; the empty text for a file that cannot be read, which is then tried again each time. */
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

/** Replace the rows of files by their new counts; without counts they are removed. */
async function replaceFiles(
  inside: Statements,
  files: readonly string[],
  counts: readonly Counted[],
): Promise<void> {
  const parameters = { files: list(files, VARCHAR) };
  for (const rows of [
    'batch_partials WHERE',
    'batch_files WHERE',
    "rejected_rows WHERE source = 'batch' AND",
  ])
    await inside.run(`DELETE FROM ${rows} file IN (SELECT unnest($files))`, parameters);
  for (const { file, sha256, count } of counts) {
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
