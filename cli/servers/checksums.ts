import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { parseJson } from '../../core/contracts/validation';

/** SHA-256 by name, of files as they were when they were obtained. */
const checksumsSchema = z.record(z.string(), z.string());

/** Beside the jars of a folder. */
export const CHECKSUMS_FILE = 'checksums.json';

/** Write down what the files of a folder are now. */
export async function writeChecksums(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name !== CHECKSUMS_FILE).sort();
  const sums = await Promise.all(names.map((name) => sha256Of(join(folder, name))));
  const entries = Object.fromEntries(names.map((name, index) => [name, sums[index]]));
  await writeFile(join(folder, CHECKSUMS_FILE), `${JSON.stringify(entries, null, 2)}\n`);
}

/** Files of a folder that are missing or changed by what was written down; undefined where nothing was. */
export async function changedFiles(folder: string): Promise<readonly string[] | undefined> {
  const text = await readFile(join(folder, CHECKSUMS_FILE), 'utf8').catch(() => '');
  const sums = checksumsSchema.safeParse(parseJson(text));
  if (!sums.success) return undefined;
  const names = Object.keys(sums.data);
  const now = await Promise.all(names.map((name) => sha256Of(join(folder, name)).catch(() => '')));
  return names.filter((name, index) => sums.data[name] !== now[index]);
}

/** Write down what one file is now, as `sha256sum` does. */
export async function writeChecksum(file: string): Promise<void> {
  await writeFile(checksumOf(file), `${await sha256Of(file)}  ${basename(file)}\n`);
}

/** Whether a file is what was written down; true where nothing was. */
export async function isUnchanged(file: string): Promise<boolean> {
  const text = await readFile(checksumOf(file), 'utf8').catch(() => undefined);
  return text === undefined || text.split(' ')[0] === (await sha256Of(file).catch(() => ''));
}

function checksumOf(file: string): string {
  return join(dirname(file), `${basename(file)}.sha256`);
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
