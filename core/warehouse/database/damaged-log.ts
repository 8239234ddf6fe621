import { open } from 'node:fs/promises';
import { messageOf } from '../../contracts/errors';
import { machineError } from '../../contracts/machine-trouble';
import { damagedError } from './trouble';

/**
 * How DuckDB's write-ahead log begins: an object whose first field (100) is its kind, 98 (version). DuckDB itself takes a log that begins
 * with other bytes for an empty one, and drops what was committed to it, without a word.
 */
const BEGINNING = Buffer.from([0x64, 0x00, 0x62]);

/** @throws FedloopError `WarehouseFailed` for a write-ahead log that DuckDB would pass over. */
export async function refuseDamagedLog(file: string): Promise<void> {
  const log = `${file}.wal`;
  let begins: Buffer;
  try {
    begins = await firstBytes(log);
  } catch (cause) {
    if (messageOf(cause).includes('ENOENT')) return;
    throw machineError('WarehouseFailed', cause, log, `the write-ahead log ${log} cannot be read`);
  }
  // An empty one is what a full disk leaves when it is made.
  if (begins.length === 0 || begins.equals(BEGINNING.subarray(0, begins.length))) return;
  throw damagedError(file, `its write-ahead log ${log} does not begin as one`);
}

async function firstBytes(path: string): Promise<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(BEGINNING.length), 0, BEGINNING.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
