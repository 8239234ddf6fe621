import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';

/**
 * The file that a path leads to, through links: DuckDB keeps its logs beside that one. A file that is not there yet is where the path says.
 */
export async function realFile(path: string): Promise<string> {
  const file = resolve(path);
  return realpath(file).catch(() => file);
}
