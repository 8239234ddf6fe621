import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { changedFiles } from './checksums';

/** The end of a ZIP file (APPNOTE 4.3.16): 22 bytes, and a comment of at most 64 KiB behind them. */
const END_BYTES = 22;
const MAX_END_BYTES = END_BYTES + 65_535;
const END_SIGNATURE = Buffer.from('PK\x05\x06', 'latin1');

/** Jars of a folder, and those of them that are missing, changed, empty or cut off. */
export interface JarFolder {
  readonly jars: readonly string[];
  readonly damaged: readonly string[];
}

/**
 * Compare every jar with its checksum and look at its end, where a ZIP file says where its directory lies: caches of earlier releases have
 * no checksums. A folder that is not there has none.
 */
export async function lookAtJars(folder: string): Promise<JarFolder> {
  const names = await readdir(folder).catch(() => []);
  const jars = names.filter((name) => name.endsWith('.jar'));
  const whole = await Promise.all(jars.map((name) => isWhole(join(folder, name)).catch(() => false)));
  const changed = (await changedFiles(folder)) ?? [];
  const cut = jars.filter((_, index) => whole[index] !== true);
  return { jars, damaged: [...new Set([...changed, ...cut])].sort() };
}

async function isWhole(path: string): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const length = Math.min(size, MAX_END_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const at = buffer.lastIndexOf(END_SIGNATURE);
    if (at < 0 || at + END_BYTES > length) return false;
    const directoryBytes = buffer.readUInt32LE(at + 12);
    const directoryAt = buffer.readUInt32LE(at + 16);
    return directoryAt + directoryBytes === size - length + at;
  } finally {
    await file.close();
  }
}
