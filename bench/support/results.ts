import { mkdir, writeFile } from 'node:fs/promises';
import { arch, cpus, loadavg, platform, totalmem } from 'node:os';
import { join } from 'node:path';

/** What a figure was measured on: without it the figure means little. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly node: string;
  /** Processes that wanted a core in the last minute: well under the number of cores when the machine was free. */
  readonly load: number;
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()}`,
    node: process.version,
    load: Math.round((loadavg()[0] ?? NaN) * 10) / 10,
  };
}

/** Write results to `bench/results/<name>-<time>.json`; returns the path. */
export async function writeResults(
  name: string,
  results: { readonly machine: Machine },
  now: Date,
): Promise<string> {
  const folder = join('bench', 'results');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}-${now.toISOString().replace(/[:.]/g, '-')}.json`);
  await writeFile(path, `${JSON.stringify({ at: now.toISOString(), ...results }, null, 2)}\n`);
  return path;
}

/** The middle value (the mean of the two middle ones of an even number). */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}
