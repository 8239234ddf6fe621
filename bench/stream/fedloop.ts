import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { type Processes } from '../../cli/processes/processes';
import { startWorker, type WorkerProcess } from '../../cli/system/worker-process';
import { FedloopError } from '../../core/contracts/errors';
import { TOPICS } from '../../core/contracts/topics';
import { readRunLog } from './blocks-log';
import { VERSIONS } from './deployment';
import { type Filled } from './fill';
import { usageOf, type Usage } from './process-usage';
import { ask, percentile, placeKey, Watch, type Look } from './watch';
import { type Workload } from './workload';

/** One run of the whole path. */
export interface FedloopRun {
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** From starting the stream worker's process to its first claim. */
  readonly setupSeconds: number;
  /** Seconds from a block handed to the producer, right after its window closed, to its rows readable. */
  readonly closeToRow: { readonly p50: number; readonly p99: number };
  readonly rows: { readonly analysis: number; readonly evaluations: number };
  readonly processes: Readonly<Record<ProcessName, ProcessFigures | null>>;
}

export type ProcessName = 'stream' | 'analytics' | 'broker';

/** What the processes of one role used together. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly cores: number;
  /** Of the largest process, where a role has several. */
  readonly peakMegabytes: number;
}

export interface Workers {
  readonly stream: readonly WorkerProcess[];
  readonly analytics: WorkerProcess;
  /** When the first stream worker's process was started. */
  readonly streamStartedMillis: number;
  stop(): Promise<void>;
}

export interface RunPlace {
  readonly processes: Processes;
  /** A folder of the run's own: warehouse, logs. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly brokerPid: number | undefined;
}

/** The tables are looked at so often; latencies of a run at full speed are no finer than this. */
const LOOK_EVERY_MS = 100;
/** A run that takes longer has failed: 12 million events take half a minute. */
const TIMEOUT_MS = 15 * 60_000;
const GRACE_MS = 15_000;

/** The analytics worker first, so that it waits for the first block; then stream workers, which share the partitions. */
export async function startWorkers(
  { processes, folder, env }: RunPlace,
  streamWorkers: number,
): Promise<Workers> {
  await mkdir(join(folder, 'processed'), { recursive: true });
  const options = {
    env: {
      ...env,
      FEDLOOP_WAREHOUSE: join(folder, 'warehouse.duckdb'),
      FEDLOOP_PROCESSED: join(folder, 'processed'),
      FEDLOOP_MODELS: join(folder, 'models'),
      FEDLOOP_HTTP_PORT: '0',
      // `Watch` asks through the port alone.
      FEDLOOP_SQL_TOKEN: 'off',
      // As `fedloop demo` starts its workers.
      MALLOC_ARENA_MAX: env['MALLOC_ARENA_MAX'] ?? '2',
    },
    logFolder: join(folder, 'logs'),
    cwd: folder,
  };
  const analytics = await startWorker(processes, 'analytics', options);
  const streamStartedMillis = Date.now();
  const stream = await Promise.all(
    Array.from({ length: streamWorkers }, (_, at) =>
      startWorker(processes, 'stream', { ...options, logFolder: join(folder, 'logs', String(at + 1)) }),
    ),
  );
  return {
    stream,
    analytics,
    streamStartedMillis,
    async stop() {
      await Promise.all([...stream, analytics].map(({ child }) => child.stop(GRACE_MS)));
    },
  };
}

/** Every event of the filled topic through the real workers, to the last readable row. */
export async function runFedloop(
  place: RunPlace,
  workload: Workload,
  filled: Filled,
  streamWorkers: number,
): Promise<FedloopRun> {
  const before = await usageOf(place.brokerPid ?? 0);
  const workers = await startWorkers(place, streamWorkers);
  const idle = await usageOf(workers.analytics.child.pid);
  try {
    const watch = new Watch(workers.analytics.url, LOOK_EVERY_MS);
    const end = await watch.until((look) => isComplete(look, filled), TIMEOUT_MS);
    await untilAllRead(
      workers.stream.map(({ url }) => url),
      workload.events,
    );
    const usages = {
      stream: together(await Promise.all(workers.stream.map(({ child }) => usageOf(child.pid)))),
      analytics: used(await usageOf(workers.analytics.child.pid), idle),
      broker: used(await usageOf(place.brokerPid ?? 0), before),
    };
    await watch.stop();
    const rows = await countRows(workers.analytics.url, filled);
    const { blocks, claimedMillis } = await readRunLog(place.env);
    const seconds = (end.atMillis - claimedMillis) / 1_000;
    const latencies = blocks.flatMap(
      ({ topic, partition, windowStart, ordinal, rows: count, writtenMillis }) => {
        const readable = watch.readableAt(topic, partition, windowStart, ordinal);
        return readable === undefined ? [] : [{ value: (readable - writtenMillis) / 1_000, rows: count }];
      },
    );
    const figures = (usage: Usage | undefined): ProcessFigures | null =>
      usage === undefined ? null : { ...usage, cores: usage.cpuSeconds / seconds };
    return {
      seconds,
      eventsPerSecond: workload.events / seconds,
      setupSeconds: (claimedMillis - workers.streamStartedMillis) / 1_000,
      closeToRow: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
      rows,
      processes: {
        stream: figures(usages.stream),
        analytics: figures(usages.analytics),
        broker: figures(usages.broker),
      },
    };
  } finally {
    await workers.stop();
  }
}

/** Every partition's last window that closes can be read, analysis and evaluations. */
function isComplete(look: Look, { lastClosed }: Filled): boolean {
  return lastClosed.every((windowStart, partition) =>
    [TOPICS.analysis.name, TOPICS.evaluations.name].every((topic) => {
      if (windowStart === null) return true;
      const place = look.places.get(placeKey(topic, partition));
      return place !== undefined && place.windowStart >= windowStart && place.last;
    }),
  );
}

/** Events behind the last closing are read by then, or within a moment. */
async function untilAllRead(urls: readonly string[], events: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
    const counts = texts.flatMap((text) => [
      ...text.matchAll(/^fedloop_stream_events_read_total\{[^}]*\} (\S+)$/gm),
    ]);
    if (counts.reduce((sum, [, count]) => sum + Number(count), 0) >= events) return;
    await sleep(LOOK_EVERY_MS);
  }
  throw new FedloopError('TooFewWindows', 'the stream workers did not read the whole topic');
}

const countSchema = z.object({
  rows: z.coerce.number(),
  events: z.coerce.number(),
  evaluations: z.coerce.number(),
});

/** @throws FedloopError `Internal` when the tables don't hold what was put in: a fast wrong result is none. */
async function countRows(url: string, filled: Filled): Promise<FedloopRun['rows']> {
  const [found] = await ask(
    url,
    countSchema,
    `SELECT (SELECT count(*) FROM stream_analysis_results) AS rows,
            (SELECT coalesce(sum(count), 0) FROM stream_analysis_results) AS events,
            (SELECT count(*) FROM evaluation_rows) AS evaluations`,
  );
  const expected = {
    rows: filled.rowsClosed,
    events: filled.eventsClosed,
    evaluations: VERSIONS.length * filled.rowsClosed,
  };
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new FedloopError(
      'Internal',
      `the tables hold ${JSON.stringify(found)}, but the topic has ${JSON.stringify(expected)}`,
    );
  }
  return { analysis: expected.rows, evaluations: expected.evaluations };
}

/** Of all processes of a role; undefined where one cannot be read. */
export function together(usages: readonly (Usage | undefined)[]): Usage | undefined {
  return usages.reduce(
    (sum, usage) =>
      sum === undefined || usage === undefined
        ? undefined
        : {
            cpuSeconds: sum.cpuSeconds + usage.cpuSeconds,
            peakMegabytes: Math.max(sum.peakMegabytes, usage.peakMegabytes),
          },
    { cpuSeconds: 0, peakMegabytes: 0 },
  );
}

function used(now: Usage | undefined, before: Usage | undefined): Usage | undefined {
  if (now === undefined) return undefined;
  return { peakMegabytes: now.peakMegabytes, cpuSeconds: now.cpuSeconds - (before?.cpuSeconds ?? 0) };
}
