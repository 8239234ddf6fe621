import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { Command } from 'commander';
import { numberFromZero, positiveNumber, wholeNumber } from '../cli/shared/options';
import { poll } from '../cli/shared/wait';
import { type Session } from '../cli/system/session';
import { requireBuilt } from '../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS } from '../core/contracts/settings';
import { MICROS_PER_SECOND } from '../core/contracts/time';
import { startSoakSystem, type SoakSystem } from './soak/deployment';
import { type SoakRound, SteadyRounds } from './soak/rounds';
import { sample, type Sample, type Watched, watchedOf } from './soak/sample';
import { slopeOf } from './support/slope';
import { describeMachine, writeResults } from './support/results';
import { inWorkspace, runBenchmark, type Workspace } from './support/run';

/** `npm run bench:soak`: whether a system that runs for long takes more and more, and how soon it catches up after being away. */
interface Options {
  readonly minutes: number;
  readonly warmup: number;
  readonly devices: number;
  readonly rate: number;
  readonly roundEvery: number;
  readonly away: number;
  readonly json: boolean;
}

/** What a process held at the end, and how that grew by the minute since the warm-up. */
interface Growth {
  readonly process: string;
  readonly residentMegabytes: number;
  readonly residentSlope: number;
  /** Of the memory without what DuckDB caches of its file, which ends at its limit. */
  readonly withoutCacheSlope: number;
  readonly heapSlope: number | null;
  readonly descriptors: number;
  readonly descriptorSlope: number;
  readonly threads: number;
}

interface CatchUp {
  readonly awaySeconds: number;
  readonly seconds: number;
  /** Seconds of event time that were read in a second. */
  readonly timesRealTime: number;
}

interface Soak {
  readonly growth: readonly Growth[];
  readonly lag: { readonly largest: number; readonly slope: number };
  readonly rounds: readonly SoakRound[];
  readonly catchUp: CatchUp | null;
  readonly verify: string;
  readonly samples: readonly Sample[];
}

const SAMPLE_EVERY_MILLIS = 10_000;
const MINUTE_MILLIS = 60_000;
/** Seconds of sending that the stream worker may be behind and count as having caught up. */
const CAUGHT_UP_SECONDS = 2;
const CATCH_UP_POLL_MILLIS = 250;

const program = new Command('bench:soak')
  .description(
    'The reference fleet by the clock, with rounds, for as long as one likes: growth of memory, files and lag by the minute, then how soon\nit catches up after stream and analytics workers were away. Ends with `fedloop verify`.',
  )
  .option('--minutes <n>', 'how long, without the catch-up', positiveNumber, 60)
  .option('--warmup <n>', 'minutes at the beginning that slopes leave out', positiveNumber, 15)
  .option('--devices <n>', 'devices of the fleet', wholeNumber(1), 2_407)
  .option('--rate <n>', 'events a second in all', wholeNumber(1), 12_000)
  .option('--round-every <n>', 'minutes from the start of a round to that of the next', positiveNumber, 5)
  .option('--away <n>', 'minutes that the workers are away for the catch-up; 0 = none', numberFromZero, 10)
  .option('--json', 'print the results as JSON', false);

async function main(session: Session): Promise<void> {
  const options = program.parse().opts<Options>();
  await requireBuilt();
  const machine = describeMachine();
  await inWorkspace(session, async (workspace) => {
    const soak = await measure(workspace, options);
    const path = await writeResults('soak', { ...{ benchmark: 'soak', options, soak }, machine }, new Date());
    session.out(
      options.json ? `${JSON.stringify(soak, null, 2)}\n` : `${textOf(soak)}\nWritten to ${path}\n`,
    );
  });
}

async function measure(workspace: Workspace, options: Options): Promise<Soak> {
  const { session } = workspace;
  const windowSeconds = DEFAULT_STREAM_SETTINGS.task.windowMicros / MICROS_PER_SECOND;
  const system = await startSoakSystem(workspace, {
    devices: options.devices,
    readingsPerWindow: Math.round((options.rate * windowSeconds) / options.devices),
    liveWindows: Math.ceil(((options.minutes + 2 * options.away + 5) * 60) / windowSeconds),
    speed: 1,
    pace: 'free',
  });
  const rounds = await SteadyRounds.start(system.servers, options.roundEvery * MINUTE_MILLIS);
  const step = session.progress.step(`${options.minutes} minutes`);
  const samples = await watch(workspace, system, options, (seen) => {
    step.update(lineOf(seen, rounds.ended), seen.minute / options.minutes);
  });
  const ended = await rounds.end();
  step.done(`${ended.length} rounds`);
  const catchUp = options.away > 0 ? await awayAndBack(workspace, system, options) : null;
  await system.leave('fleet');
  const checking = session.progress.step('Every row compared with the event log');
  const verify = await system.verify();
  checking.done();
  const steady = samples.filter(({ minute }) => minute >= options.warmup);
  return {
    growth: Object.keys(steady[0]?.holdings ?? {}).map((name) => growthOf(name, steady)),
    lag: {
      largest: Math.max(...steady.map(({ lagRecords }) => lagRecords)),
      slope: slopeOf(steady.map(({ minute, lagRecords }) => ({ at: minute, value: lagRecords }))),
    },
    rounds: ended,
    catchUp,
    verify,
    samples,
  };
}

async function watch(
  { session }: Workspace,
  system: SoakSystem,
  { minutes }: Options,
  onSample: (seen: Sample) => void,
): Promise<readonly Sample[]> {
  const { kafka, temporal } = system.servers;
  const servers: Watched[] = [
    { name: 'kafka', pid: kafka.own?.child.pid ?? 0, url: undefined },
    { name: 'temporal', pid: temporal.own?.child.pid ?? 0, url: undefined },
  ].filter(({ pid }) => pid > 0);
  const processes = [...system.workers().map(watchedOf), ...servers];
  const began = performance.now();
  const samples: Sample[] = [];
  for (;;) {
    session.signal.throwIfAborted();
    const minute = (performance.now() - began) / MINUTE_MILLIS;
    if (minute >= minutes) return samples;
    const seen = await sample(processes, minute);
    samples.push(seen);
    onSample(seen);
    await sleep(SAMPLE_EVERY_MILLIS);
  }
}

/** Stop those that read for a while, and see how long they take for what was sent meanwhile, and for what is sent while they read it. */
async function awayAndBack(
  { session }: Workspace,
  system: SoakSystem,
  { away, rate }: Options,
): Promise<CatchUp> {
  const step = session.progress.step(`Away for ${away} minutes`);
  const left = performance.now();
  const readBefore = (await sample([watchedOf(system.worker('stream'))], 0)).readEvents;
  await Promise.all([system.leave('stream'), system.leave('analytics')]);
  await sleep(away * MINUTE_MILLIS, undefined, { signal: session.signal });
  await Promise.all([system.back('stream'), system.back('analytics')]);
  const began = performance.now();
  const watched = watchedOf(system.worker('stream'));
  const caughtUp = await poll(
    async () => {
      const { readEvents } = await sample([watched], 0);
      // What the fleet has sent since, by the clock.
      const toRead = ((performance.now() - left) / 1_000) * rate - (readEvents - readBefore);
      step.update(`${Math.round(toRead).toLocaleString('en')} events to read`);
      return toRead < rate * CAUGHT_UP_SECONDS ? true : undefined;
    },
    {
      everyMillis: CATCH_UP_POLL_MILLIS,
      timeoutMillis: away * MINUTE_MILLIS,
      signal: session.signal,
    },
  );
  if (caughtUp === undefined) throw new Error(`the stream worker did not catch up within ${away} minutes`);
  const seconds = (performance.now() - began) / 1_000;
  const awaySeconds = (began - left) / 1_000;
  step.done(`caught up in ${seconds.toFixed(1)} s`);
  return { awaySeconds, seconds, timesRealTime: (awaySeconds + seconds) / seconds };
}

function growthOf(process: string, samples: readonly Sample[]): Growth {
  const held = samples.flatMap(({ minute, holdings }) => {
    const holding = holdings[process];
    return holding === undefined ? [] : [{ minute, ...holding }];
  });
  const last = held.at(-1);
  const heap = held.flatMap(({ minute, heapMegabytes: value }) =>
    value === undefined ? [] : [{ at: minute, value }],
  );
  return {
    process,
    residentMegabytes: last?.residentMegabytes ?? NaN,
    residentSlope: slopeOf(held.map(({ minute, residentMegabytes: value }) => ({ at: minute, value }))),
    withoutCacheSlope: slopeOf(
      held.map(({ minute, residentMegabytes, cacheMegabytes }) => ({
        at: minute,
        value: residentMegabytes - cacheMegabytes,
      })),
    ),
    heapSlope: heap.length === 0 ? null : slopeOf(heap),
    descriptors: last?.descriptors ?? NaN,
    descriptorSlope: slopeOf(held.map(({ minute, descriptors: value }) => ({ at: minute, value }))),
    threads: last?.threads ?? NaN,
  };
}

function lineOf({ holdings, lagRecords }: Sample, rounds: readonly SoakRound[]): string {
  const sizes = Object.entries(holdings).map(
    ([name, { residentMegabytes }]) => `${name} ${Math.round(residentMegabytes)}`,
  );
  return `${rounds.length} rounds, ${lagRecords} behind, MB: ${sizes.join(', ')}`;
}

function textOf({ growth, lag, rounds, catchUp, verify }: Soak): string {
  const table = new Table({
    head: [
      'process',
      'MB at the end',
      'MB a minute',
      'without DuckDB’s cache',
      'heap MB a minute',
      'files',
      'files a minute',
      'threads',
    ],
    style: { head: [], border: [] },
  });
  for (const row of growth)
    table.push([
      row.process,
      row.residentMegabytes.toFixed(0),
      row.residentSlope.toFixed(2),
      row.withoutCacheSlope.toFixed(2),
      row.heapSlope?.toFixed(2) ?? '',
      row.descriptors,
      row.descriptorSlope.toFixed(2),
      row.threads,
    ]);
  return [
    table.toString(),
    `lag: ${lag.largest.toLocaleString('en')} events at most, ${lag.slope.toFixed(0)} a minute`,
    `rounds: ${rounds.length}, ${rounds.map(({ decision, seconds }) => `${decision} in ${seconds.toFixed(0)} s`).join(', ')}`,
    ...(catchUp === null
      ? []
      : [
          `catch-up: away for ${catchUp.awaySeconds.toFixed(0)} s, caught up in ${catchUp.seconds.toFixed(1)} s, ${catchUp.timesRealTime.toFixed(0)} × real time`,
        ]),
    verify,
  ].join('\n');
}

runBenchmark(main);
