import { open, stat } from 'node:fs/promises';
import { LIMITS } from '../shared/limits';

/** The last `lines` lines of a text, without blank ones. */
export function lastLines(text: string, lines: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lines)
    .join('\n');
}

/** Bytes of a file; 0 if there is none. */
export async function sizeOfFile(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/**
 * The last lines of a file; empty if there is no file. Reads only its end, since logs grow.
 * @param from byte before which the lines are those of an earlier process; a file that is shorter was begun anew.
 */
export async function tailOfFile(path: string, lines: number, from = 0): Promise<string> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size < from ? size : size - from, LIMITS.tailBytes);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return lastLines(buffer.toString('utf8', 0, bytesRead), lines);
  } finally {
    await file.close();
  }
}
