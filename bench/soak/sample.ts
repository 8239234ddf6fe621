import { readdir, readFile } from 'node:fs/promises';
import { type WorkerProcess } from '../../cli/system/worker-process';

const MEGABYTE = 1_048_576;
const KILOBYTES_PER_MEGABYTE = 1_024;

/** What a process holds at a moment. */
export interface Holding {
  readonly residentMegabytes: number;
  /** JavaScript heap in use; undefined of a process that has none. */
  readonly heapMegabytes: number | undefined;
  /** What DuckDB holds of its file, up to a limit; 0 of a process without it. */
  readonly cacheMegabytes: number;
  /** Files, sockets and pipes. */
  readonly descriptors: number;
  readonly threads: number;
}

/** Processes of a system at a moment, and how far the stream is behind. */
export interface Sample {
  readonly minute: number;
  readonly holdings: Readonly<Record<string, Holding>>;
  readonly lagRecords: number;
  /** Events that the stream worker has read since the fleet began. */
  readonly readEvents: number;
}

export interface Watched {
  readonly name: string;
  readonly pid: number;
  /** Of its metrics, where it has some. */
  readonly url: string | undefined;
}

export function watchedOf({ role, url, child }: WorkerProcess): Watched {
  return { name: role, pid: child.pid, url };
}

/** @throws Error when a process has gone. */
export async function sample(processes: readonly Watched[], minute: number): Promise<Sample> {
  const seen = await Promise.all(
    processes.map(async (watched) => {
      const metrics = watched.url === undefined ? '' : await metricsOf(watched.url);
      const heap = sumOf(metrics, 'nodejs_heap_size_used_bytes');
      const holding = {
        ...(await holdingOf(watched)),
        heapMegabytes: heap === undefined ? undefined : heap / MEGABYTE,
        cacheMegabytes: (sumOf(metrics, 'fedloop_warehouse_memory_bytes') ?? 0) / MEGABYTE,
      };
      return {
        name: watched.name,
        holding,
        lag: sumOf(metrics, 'fedloop_stream_lag_records') ?? 0,
        read: sumOf(metrics, 'fedloop_stream_events_read_total') ?? 0,
      };
    }),
  );
  return {
    minute,
    holdings: Object.fromEntries(seen.map(({ name, holding }) => [name, holding])),
    lagRecords: seen.reduce((sum, { lag }) => sum + lag, 0),
    readEvents: seen.reduce((sum, { read }) => sum + read, 0),
  };
}

async function holdingOf({ name, pid }: Watched): Promise<Omit<Holding, 'heapMegabytes' | 'cacheMegabytes'>> {
  try {
    const [status, descriptors] = await Promise.all([
      readFile(`/proc/${pid}/status`, 'utf8'),
      readdir(`/proc/${pid}/fd`),
    ]);
    const field = (pattern: RegExp): number => Number(pattern.exec(status)?.[1] ?? NaN);
    return {
      residentMegabytes: field(/^VmRSS:\s+(\d+) kB$/m) / KILOBYTES_PER_MEGABYTE,
      descriptors: descriptors.length,
      threads: field(/^Threads:\s+(\d+)$/m),
    };
  } catch (cause) {
    throw new Error(`the ${name} process has gone`, { cause });
  }
}

async function metricsOf(url: string): Promise<string> {
  const response = await fetch(`${url}/metrics`);
  return response.text();
}

/** Sum of a metric over its labels, in Prometheus' text format. */
export function sumOf(metrics: string, name: string): number | undefined {
  const values = metrics
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    .map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0);
}
