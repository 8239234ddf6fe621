import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { z } from 'zod';
import { wholeNumber } from '../cli/shared/options';
import { logSettings } from '../cli/system/log-settings';
import { type Session } from '../cli/system/session';
import { requireBuilt } from '../cli/system/worker-process';
import { FedloopError } from '../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../core/contracts/settings';
import { TOPICS } from '../core/contracts/topics';
import { readEnvironment } from '../core/platform/config';
import { connectKafka } from '../core/platform/kafka';
import { silentLogger } from '../core/platform/log';
import { type RunPlace, startWorkers, type Workers } from './stream/fedloop';
import { ask } from './stream/watch';
import { inWorkspace, runBenchmark, serversOf } from './support/run';
import { describeMachine, writeResults } from './support/results';

/** `npm run bench:malformed`: events that are none, through a running stream worker and the warehouse: every one is accounted for. */
interface Options {
  readonly events: number;
  readonly partitions: number;
  readonly json: boolean;
}

interface MalformedRun {
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** Rows of `rejected_rows`, by detail. */
  readonly details: Readonly<Record<string, number>>;
}

/** One of each kind, over and over: `@` becomes the event's number, so that no two are alike. */
const KINDS: readonly (string | Buffer)[] = [
  '',
  '{',
  'null',
  '[@]',
  '"event @"',
  Buffer.from([0xff, 0xfe, 0x00]),
  '{"device_id":"d@"}',
  '{"device_id":"","timestamp":"2026-01-01","temperature":1}',
  '{"device_id":@,"timestamp":"2026-01-01","temperature":1}',
  '{"device_id":"d@","timestamp":"yesterday","temperature":1}',
  '{"device_id":"d@","timestamp":"1026-01-01","temperature":1}',
  '{"device_id":"d@","timestamp":9007199254740993,"temperature":1}',
  '{"device_id":"d@","timestamp":"2026-01-01","temperature":1e400}',
  '{"device_id":"d@","timestamp":"2026-01-01","temperature":"NaN"}',
  '{"device_id":"d@","timestamp":"2026-01-01","temperature":null}',
  '{"device_id":"d@","timestamp":"2026-01-01","temperature":1',
  `{"device_id":"d@","timestamp":"2026-01-01","temperature":${'['.repeat(100)}${']'.repeat(100)}}`,
  '{"__proto__":{"device_id":"d@"},"timestamp":"2026-01-01","temperature":1}',
];
const EVENTS_PER_SEND = 20_000;
const POLL_MILLIS = 250;
const TIMEOUT_MILLIS = 15 * 60_000;

const program = new Command('bench:malformed')
  .description(
    'Malformed events through a running stream worker and the warehouse, all of them accounted for.',
  )
  .option('--events <n>', 'events in the topic', wholeNumber(1), 1_000_000)
  .option('--partitions <n>', 'partitions of the topic', wholeNumber(1), 4)
  .option('--json', 'print the results as JSON', false);

async function main(session: Session): Promise<void> {
  const options = program.parse().opts<Options>();
  await requireBuilt();
  const machine = describeMachine();
  await inWorkspace(session, async (workspace) => {
    const { processes, folder } = workspace;
    const servers = await serversOf(workspace);
    const env = { ...servers.env, FEDLOOP_PARTITIONS: String(options.partitions) };
    const place = { processes, folder: join(folder, 'run'), env, brokerPid: servers.kafka.own?.child.pid };
    const step = session.progress.step(`${options.events.toLocaleString('en')} malformed events`);
    const run = await measure(place, options);
    step.done();
    const report = { benchmark: 'malformed', options, run, machine };
    const path = await writeResults('malformed', report, new Date());
    session.out(options.json ? `${JSON.stringify(run, null, 2)}\n` : `${textOf(run)}\nWritten to ${path}\n`);
  });
}

function textOf({ eventsPerSecond, details }: MalformedRun): string {
  const lines = Object.entries(details).map(([detail, rows]) => `${rows.toLocaleString('en')} ${detail}`);
  return [`${Math.round(eventsPerSecond).toLocaleString('en')} events/s, all accounted for`, ...lines].join(
    '\n',
  );
}

async function measure(place: RunPlace, options: Options): Promise<MalformedRun> {
  await logSettings(place.env, DEFAULT_STREAM_SETTINGS);
  const workers = await startWorkers(place, 1);
  try {
    const began = performance.now();
    await send(place.env, options);
    const details = await untilStored(workers, options.events);
    const seconds = (performance.now() - began) / 1_000;
    return { seconds, eventsPerSecond: options.events / seconds, details };
  } finally {
    await workers.stop();
  }
}

async function send(env: NodeJS.ProcessEnv, { events, partitions }: Options): Promise<void> {
  const kafka = await connectKafka(readEnvironment(env), 'fedloop-bench', silentLogger());
  const producer = await kafka.producer();
  for (let from = 0; from < events; from += EVENTS_PER_SEND) {
    const count = Math.min(EVENTS_PER_SEND, events - from);
    const messages = Array.from({ length: count }, (_, at) => ({
      key: null,
      partition: (from + at) % partitions,
      value: valueOf(from + at),
    }));
    await producer.send(TOPICS.stream.name, messages);
  }
  await producer.disconnect();
  await kafka.disconnect();
}

function valueOf(number: number): string | Buffer {
  const kind = KINDS[number % KINDS.length] ?? '';
  return typeof kind === 'string' ? kind.replace('@', String(number)) : kind;
}

const detailRow = z.object({ detail: z.string(), rows: z.number() });

/** @throws FedloopError `Internal` when some event is neither counted nor stored. */
async function untilStored(workers: Workers, events: number): Promise<Readonly<Record<string, number>>> {
  const sql = `SELECT reason || ': ' || coalesce(detail, '') AS detail, count(*)::INTEGER AS rows
               FROM rejected_rows WHERE source = 'stream' GROUP BY ALL ORDER BY rows DESC, detail`;
  const deadline = performance.now() + TIMEOUT_MILLIS;
  for (;;) {
    const rows = await ask(workers.analytics.url, detailRow, sql);
    const stored = rows.reduce((sum, { rows: count }) => sum + count, 0);
    if (stored >= events || performance.now() > deadline) {
      const counted = await Promise.all(workers.stream.map(({ url }) => verdictsOf(url)));
      const read = counted.reduce((sum, each) => sum + each.read, 0);
      const judged = counted.reduce((sum, each) => sum + each.refused, 0);
      if (stored !== events || read !== events || judged !== events)
        throw new FedloopError(
          'Internal',
          `of ${events} events ${read} were read, ${judged} refused, and ${stored} stored`,
        );
      return Object.fromEntries(rows.map(({ detail, rows: count }) => [detail, count]));
    }
    await sleep(POLL_MILLIS);
  }
}

/** Events that a stream worker has read, and those of them that it refused. */
async function verdictsOf(url: string): Promise<{ readonly read: number; readonly refused: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (pattern: RegExp): number =>
    [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
  return {
    read: sum(/^fedloop_stream_events_read_total\{.*\} (\S+)$/gm),
    refused: sum(/^fedloop_stream_events_total\{.*verdict="(?!windowed)[a-z]+".*\} (\S+)$/gm),
  };
}

runBenchmark(main);
