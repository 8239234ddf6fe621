import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type Processes } from '../cli/processes/processes';
import { cacheFolder } from '../cli/servers/cache';
import { findJava } from '../cli/servers/java';
import { obtainKafka } from '../cli/servers/obtain-kafka';
import { startKafka } from '../cli/servers/start-kafka';
import { LIMITS } from '../cli/shared/limits';
import { wholeNumber } from '../cli/shared/options';
import { type Session } from '../cli/system/session';
import { requireBuilt, startWorker } from '../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../core/contracts/settings';
import { sourceSchema } from '../core/contracts/source';
import { foreignTopic, TOPICS } from '../core/contracts/topics';
import { logDeployment } from '../core/model/deployments';
import { readEnvironment } from '../core/platform/config';
import { connectKafka, type Kafka, type Producer } from '../core/platform/kafka';
import { silentLogger } from '../core/platform/log';
import { type Usage, usageOf } from './stream/process-usage';
import { inWorkspace, runBenchmark } from './support/run';
import { describeMachine, median, writeResults } from './support/results';

/** `npm run bench:ingest`: a topic of flat messages with fields of other names, through a real ingest worker. */
interface Options {
  readonly events: number;
  readonly devices: number;
  readonly partitions: number;
  readonly repeat: number;
  readonly json: boolean;
}

interface IngestRun {
  readonly seconds: number;
  readonly eventsPerSecond: number;
  /** Processor time of the worker since it was ready; null where the system does not tell. */
  readonly cpuMicrosPerEvent: number | null;
  readonly peakMegabytes: number | null;
}

const LEFT_OUT = [
  'Left out: network and replication (one machine, one broker), compression, stream and analytics workers, starting the worker.',
];
const SOURCE_TOPIC = 'bench.telemetry';
const START_SECONDS = Date.UTC(2026, 0, 1) / 1_000;
const EVENTS_PER_SECOND = 1_000;
const EVENTS_PER_SEND = 20_000;
const POLL_MILLIS = 20;
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  source: sourceSchema.parse({
    topic: SOURCE_TOPIC,
    fields: {
      device_id: '/deviceId',
      timestamp: { path: '/ts', unit: 's' },
      temperature: '/temp',
      humidity: '/hum',
      pressure: '/press',
    },
  }),
};

const program = new Command('bench:ingest')
  .description(
    'Flat messages with other names and epoch seconds, from Kafka through an ingest worker to edge-iiot-stream.',
  )
  .option('--events <n>', 'messages in the topic', wholeNumber(1), 2_000_000)
  .option('--devices <n>', 'size of the fleet', wholeNumber(1), 2_407)
  .option('--partitions <n>', 'partitions of both topics', wholeNumber(1), 4)
  .option('--repeat <n>', 'runs, of which the median is shown', wholeNumber(1), 3)
  .option('--json', 'print the results as JSON', false);

async function main(session: Session): Promise<void> {
  const options = program.parse().opts<Options>();
  await requireBuilt();
  const machine = describeMachine();
  await inWorkspace(session, async ({ processes, folder }) => {
    const java = await findJava();
    const classPath = await obtainKafka(cacheFolder(session.env), processes, session.progress);
    const place = { folder: join(folder, 'kafka'), logFolder: join(folder, 'logs') };
    const { broker } = await startKafka({ processes, java, classPath, ...place });
    const runs: IngestRun[] = [];
    const fleet = { ...session.env, KAFKA_BROKERS: broker };
    await fill(fleet, options, session);
    for (let run = 1; run <= options.repeat; run += 1) {
      const step = session.progress.step(`ingest, run ${run} of ${options.repeat}`);
      // A deployment of its own each: the group begins anew.
      const env = { ...fleet, FEDLOOP_TOPIC_PREFIX: `run-${run}-` };
      runs.push(await measure(env, options, processes, join(folder, `run-${run}`)));
      step.done();
    }
    const report = { benchmark: 'ingest', options, runs, machine, leftOut: LEFT_OUT };
    const path = await writeResults('ingest', report, new Date());
    session.out(
      options.json ? `${JSON.stringify(report, null, 2)}\n` : `${textOf(runs)}\nWritten to ${path}\n`,
    );
  });
}

function textOf(runs: readonly IngestRun[]): string {
  const rate = median(runs.map(({ eventsPerSecond }) => eventsPerSecond));
  const cpu = median(runs.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent ?? NaN));
  return [
    `${Math.round(rate).toLocaleString('en')} events/s, ${cpu.toFixed(2)} µs of processor time an event (medians of ${runs.length})`,
    ...LEFT_OUT,
  ].join('\n');
}

async function withKafka<Result>(
  env: NodeJS.ProcessEnv,
  work: (kafka: Kafka, producer: Producer) => Promise<Result>,
): Promise<Result> {
  const kafka = await connectKafka(readEnvironment(env), 'fedloop-bench', silentLogger());
  const producer = await kafka.producer();
  try {
    return await work(kafka, producer);
  } finally {
    await producer.disconnect();
    await kafka.disconnect();
  }
}

/** Messages as a fleet sends them: devices take turns, one partition a device. */
async function fill(env: NodeJS.ProcessEnv, options: Options, session: Session): Promise<void> {
  const { events, devices, partitions } = options;
  const step = session.progress.step(`Filling the topic: ${events.toLocaleString('en')} messages`);
  await withKafka(env, async (kafka, producer) => {
    const name = foreignTopic(SOURCE_TOPIC);
    await kafka.createTopics([{ name, partitions, cleanup: 'delete' }]);
    for (let from = 0; from < events; from += EVENTS_PER_SEND) {
      const count = Math.min(EVENTS_PER_SEND, events - from);
      const messages = Array.from({ length: count }, (_, at) => message(from + at, devices, partitions));
      await producer.send(name, messages);
      step.update('', from / events);
    }
  });
  step.done();
}

function message(
  number: number,
  devices: number,
  partitions: number,
): Parameters<Producer['send']>[1][number] {
  const device = number % devices;
  const ts = START_SECONDS + Math.floor(number / EVENTS_PER_SECOND);
  const reading = {
    deviceId: `press-${device}`,
    ts,
    temp: 20 + (number % 97) / 10,
    hum: 40.1,
    press: 1013.2,
  };
  return {
    key: null,
    partition: device % partitions,
    timestampMillis: ts * 1_000,
    value: JSON.stringify(reading),
  };
}

/** From the worker's being ready to the last event in `edge-iiot-stream`. */
async function measure(
  env: NodeJS.ProcessEnv,
  { events, partitions }: Options,
  processes: Processes,
  folder: string,
): Promise<IngestRun> {
  return withKafka(env, async (kafka, producer) => {
    await kafka.createTopics(
      Object.values(TOPICS).map((topic) => ({
        ...topic,
        partitions: topic.partitions === 'perSource' ? partitions : topic.partitions,
      })),
    );
    await logDeployment(producer, [{ type: 'settings', settings: SETTINGS }]);
    const worker = await startWorker(processes, 'ingest', { env, logFolder: folder, cwd: tmpdir() });
    const atStart = await usageOf(worker.child.pid);
    const began = performance.now();
    let written = 0;
    while (written < events) {
      await sleep(POLL_MILLIS);
      const offsets = await kafka.offsets(TOPICS.stream.name);
      written = offsets.reduce((sum, { high }) => sum + high, 0);
    }
    const seconds = (performance.now() - began) / 1_000;
    const usage = await usageOf(worker.child.pid);
    await worker.child.stop(LIMITS.workerGraceMillis);
    return {
      seconds,
      eventsPerSecond: events / seconds,
      cpuMicrosPerEvent: cpuMicrosBetween(atStart, usage, events),
      peakMegabytes: usage?.peakMegabytes ?? null,
    };
  });
}

function cpuMicrosBetween(from: Usage | undefined, to: Usage | undefined, events: number): number | null {
  return from === undefined || to === undefined ? null : ((to.cpuSeconds - from.cpuSeconds) * 1e6) / events;
}

runBenchmark(main);
