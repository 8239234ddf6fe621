import { open, stat } from 'node:fs/promises';

/** DuckDB keeps two headers behind the first 4 KiB and writes them in turn: a checksum, then the iteration. */
const HEADER_BYTES = 4_096;
const ITERATION_AT = 8;

/** What a warehouse is made of on disk at one moment. */
export interface FileState {
  /** A checkpoint raises it, once its blocks are in the file. */
  readonly iteration: bigint;
  /** The write-ahead log. */
  readonly log: LogFile | undefined;
  /** Where a checkpoint that is under way has commits written. */
  readonly nextLog: LogFile | undefined;
}

/** Which file a log is: a checkpoint puts a new one in its place. */
interface LogFile {
  readonly inode: number;
  readonly bytes: number;
}

/** @throws Error where the file cannot be read */
export async function stateOf(file: string): Promise<FileState> {
  // The logs first: a checkpoint writes its header before it changes them.
  const [log, nextLog] = await Promise.all(['.wal', '.wal.checkpoint'].map((end) => logAt(`${file}${end}`)));
  return { iteration: await iterationOf(file), log, nextLog };
}

export function hasSameLogs(one: FileState, other: FileState): boolean {
  return one.log?.inode === other.log?.inode && one.nextLog?.inode === other.nextLog?.inode;
}

/** Whether nothing was committed in between. */
export function isSame(one: FileState, other: FileState): boolean {
  return (
    one.iteration === other.iteration &&
    hasSameLogs(one, other) &&
    one.log?.bytes === other.log?.bytes &&
    one.nextLog?.bytes === other.nextLog?.bytes
  );
}

async function logAt(path: string): Promise<LogFile | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? undefined : { inode: found.ino, bytes: found.size };
}

async function iterationOf(file: string): Promise<bigint> {
  const handle = await open(file, 'r');
  try {
    const headers = Buffer.alloc(2 * HEADER_BYTES);
    await handle.read(headers, 0, headers.length, HEADER_BYTES);
    const iterations = [0, HEADER_BYTES].map((at) => headers.readBigUInt64LE(at + ITERATION_AT));
    return iterations.reduce((latest, iteration) => (iteration > latest ? iteration : latest));
  } finally {
    await handle.close();
  }
}
