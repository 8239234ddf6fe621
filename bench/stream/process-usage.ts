import { readFile } from 'node:fs/promises';

/** What a process has used so far. */
export interface Usage {
  /** Processor seconds of all its threads. */
  readonly cpuSeconds: number;
  /** Most memory that it ever had resident. */
  readonly peakMegabytes: number;
}

/** Linux counts processor time in hundredths of a second, whatever the kernel's own tick (USER_HZ). */
const TICKS_PER_SECOND = 100;

/** @returns undefined on systems without /proc. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
    ]);
    // The name of the command, in parentheses, may hold blanks; fields are counted behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
    return { cpuSeconds: ticks / TICKS_PER_SECOND, peakMegabytes: Number(peak) / 1_024 };
  } catch {
    return undefined;
  }
}
