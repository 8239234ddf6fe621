import fc from 'fast-check';
import { z } from 'zod';
import { queryWorker } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { sourceSchema } from '../../core/contracts/source';
import { foreignTopic, INGEST_GROUP, TOPICS } from '../../core/contracts/topics';
import { type Kafka, type Producer } from '../../core/platform/kafka';
import { hostileSourceMessages, SOURCE_SHAPE, SOURCE_START } from '../support/hostile-source';
import { eventually } from '../support/round-watch';
import { verifiedAt } from '../support/verified';
import { createTopics, logSettings } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';

/** Messages of every kind to the topic of a source, which anybody's devices write to: `FEDLOOP_FUZZ_MESSAGES` and `FEDLOOP_FUZZ_SEED` as in poison.test.ts. */
const MESSAGES = Number(process.env['FEDLOOP_FUZZ_MESSAGES'] ?? 300);
const SEED = Number(process.env['FEDLOOP_FUZZ_SEED'] ?? 1);
/** Messages drawn and sent at a time. */
const MESSAGES_AT_ONCE = 100;
const TOPIC = 'plant.telemetry';
const PARTITIONS = 2;
const WAIT_MILLIS = 60_000 + 40 * MESSAGES;

jest.setTimeout(2 * WAIT_MILLIS);

let system: StreamSystem;
let kafka: Kafka;
let producer: Producer;
let ingest: WorkerProcess;
let analytics: WorkerProcess;
let stream: WorkerProcess;

beforeAll(async () => {
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '2' });
  kafka = await system.connect();
  producer = await kafka.producer();
  await createTopics(kafka, 2);
  await kafka.createTopics([{ name: foreignTopic(TOPIC), partitions: PARTITIONS, cleanup: 'delete' }]);
  const source = sourceSchema.parse({ topic: TOPIC, ...SOURCE_SHAPE });
  await logSettings(producer, { ...DEFAULT_STREAM_SETTINGS, source });
  [ingest, analytics, stream] = await Promise.all([
    system.startWorker('ingest'),
    system.startAnalytics(),
    system.startWorker('stream'),
  ]);
});

afterAll(async () => {
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
});

async function sendHostile(): Promise<void> {
  for (let sent = 0; sent < MESSAGES; sent += MESSAGES_AT_ONCE) {
    const numRuns = Math.min(MESSAGES_AT_ONCE, MESSAGES - sent);
    await producer.send(
      foreignTopic(TOPIC),
      fc.sample(hostileSourceMessages(PARTITIONS), { numRuns, seed: SEED + sent }),
    );
  }
}

async function sendGood(): Promise<void> {
  const value = JSON.stringify({
    at: SOURCE_START,
    readings: [{ meta: { id: 'good' }, values: { t: 21, h: 415 } }],
  });
  const everywhere = Array.from({ length: PARTITIONS }, (_, partition) => ({ key: null, value, partition }));
  await producer.send(foreignTopic(TOPIC), everywhere);
}

/** What the worker has counted since it started; the sum over labels where none is asked for. */
async function counted(name: string, label = ''): Promise<number> {
  const text = await (await fetch(`${ingest.url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && line.includes(label))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function recordsIn(topic: string): Promise<number> {
  return (await kafka.offsets(topic)).reduce((sum, { low, high }) => sum + high - low, 0);
}

async function untilRead(messages: number): Promise<void> {
  await eventually('every message read', WAIT_MILLIS, async () => {
    const read = await counted('fedloop_ingest_messages_total');
    return read === messages ? { found: true } : { seen: `${read} of ${messages}` };
  });
}

const countRow = z.object({ n: z.number() });

async function rowsOf(sql: string): Promise<number> {
  const [row] = await queryWorker({ url: analytics.url, token: undefined })(countRow, sql);
  return row?.n ?? 0;
}

/** Rejects are rows, or letters put aside; none is neither. */
async function expectRejectsStored(): Promise<void> {
  const written = await recordsIn(TOPICS.ingestRejects.name);
  await eventually('every reject stored', WAIT_MILLIS, async () => {
    const rows = await rowsOf("SELECT count(*)::DOUBLE AS n FROM rejected_rows WHERE source = 'ingest'");
    return rows === written ? { found: true } : { seen: `${rows} of ${written}` };
  });
}

it('are passed on or put aside with a reason, every one, and the worker reads on, also when it was started again', async () => {
  await sendHostile();
  const started = performance.now();
  await untilRead(MESSAGES);
  const seconds = (performance.now() - started) / 1_000;
  const [mapped, rejected, readings, rejects] = [
    await counted('fedloop_ingest_messages_total', 'outcome="mapped"'),
    await counted('fedloop_ingest_messages_total', 'outcome="rejected"'),
    await counted('fedloop_ingest_readings_total'),
    await counted('fedloop_ingest_rejects_total'),
  ];
  if (process.env['FEDLOOP_FUZZ_MESSAGES'] !== undefined)
    process.stderr.write(`${JSON.stringify({ seconds, mapped, rejected, readings, rejects })}\n`);
  expect(mapped + rejected).toBe(MESSAGES);
  expect(Math.min(mapped, rejected)).toBeGreaterThan(0);
  expect(readings).toBe(await recordsIn(TOPICS.stream.name));
  expect(rejects).toBe(await recordsIn(TOPICS.ingestRejects.name));
  await expectRejectsStored();
  expect(await rowsOf('SELECT count(*)::DOUBLE AS n FROM dead_letters')).toBe(0);

  await ingest.child.stop(10_000);
  const ends = await recordsIn(foreignTopic(TOPIC));
  const committed = await kafka.committed(INGEST_GROUP, foreignTopic(TOPIC));
  expect(committed.reduce((sum, { offset }) => sum + offset, 0)).toBe(ends);
  ingest = await system.startWorker('ingest');
  await sendGood();
  await untilRead(PARTITIONS);
  expect(await counted('fedloop_ingest_messages_total', 'outcome="mapped"')).toBe(PARTITIONS);
  await verifiedAt(system, analytics.url);
  expect([ingest, analytics, stream].map(({ child }) => child.running)).toEqual([true, true, true]);
});
