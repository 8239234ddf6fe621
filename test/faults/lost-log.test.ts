import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, ConfigResourceTypes, Kafka as KafkaJs, logLevel } from 'kafkajs';
import { signalGroup } from '../../cli/processes/child';
import { queryWorker } from '../../cli/query/query-worker';
import { readFleetTables } from '../../cli/status/fleet-status';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka, type Producer } from '../../core/platform/kafka';
import { endsOf } from '../../core/platform/kafka/topic-offsets';
import { type EventFeed } from '../support/event-feed';
import { deployStream } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';

/** A topic loses what was not read, or is made anew: nothing of that is silent. */
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 2_000_000 }),
  watermarkMicros: 4_000_000,
  idleMillis: 1_500,
};
const DEVICES = 10;
const STEPS = 20;
const LETTERS = 5;
const LEAVE_MILLIS = 15_000;
const WAIT_MILLIS = 30_000;

jest.setTimeout(120_000);

let system: StreamSystem;
let kafka: Kafka;
let producer: Producer;
let admin: Admin;
let feed: EventFeed;
let stream: WorkerProcess;

beforeAll(async () => {
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '1', FEDLOOP_SESSION_TIMEOUT: '2s' });
  kafka = await system.connect();
  producer = await kafka.producer();
  const brokers = [system.env['KAFKA_BROKERS'] ?? ''];
  admin = new KafkaJs({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  feed = await deployStream(kafka, producer, SETTINGS, {
    seed: 1,
    devices: DEVICES,
    start: Date.UTC(2020, 0, 1) * 1_000,
    stepMicros: 300_000,
    partitions: 1,
  });
  stream = await system.startWorker('stream');
}, 120_000);

afterAll(async () => {
  await admin.disconnect();
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
}, 60_000);

it('counts the events that were gone before they were read, and reads on behind them', async () => {
  await send();
  await untilRead(await end());
  await stream.child.stop(LEAVE_MILLIS);
  const read = await end();
  await send();
  const low = (await end()) - 50;
  // The library deletes where it has looked before.
  await admin.fetchTopicOffsets(TOPICS.stream.name);
  await admin.deleteTopicRecords({
    topic: TOPICS.stream.name,
    partitions: [{ partition: 0, offset: String(low) }],
  });

  stream = await system.startWorker('stream');
  await untilRead(50);
  const lost = await metric('fedloop_stream_records_lost_total');
  // The events of windows that were open are gone as well.
  expect(lost).toBeGreaterThanOrEqual(low - read);
  expect(await readFile(stream.child.logFile, 'utf8')).toContain(
    `${lost} records of partition 0 of ${TOPICS.stream.name} were gone before they were read`,
  );
});

it('keeps in the tables what was gone before it was stored, though no record follows and the worker is killed', async () => {
  const { name: topic } = TOPICS.ingestRejects;
  const lostOf = (worker: WorkerProcess): Promise<number | undefined> =>
    metric('fedloop_sink_records_lost_total', topic, worker);
  let analytics = await system.startAnalytics();
  await sendLetters(topic);
  await until('the letters are put aside', async () => {
    return (
      (await metric('fedloop_sink_records_total', `topic="${topic}",outcome="aside"`, analytics)) === LETTERS
    );
  });
  // While it runs: frozen, so that it reads nothing before that is gone.
  signalGroup(analytics.child.pid, 'SIGSTOP');
  await sleep(500);
  await sendAndDelete(topic);
  signalGroup(analytics.child.pid, 'SIGCONT');
  await until('the loss is counted', async () => (await lostOf(analytics)) === LETTERS);
  expect(await readFile(analytics.child.logFile, 'utf8')).toContain(
    `${LETTERS} records of partition 0 of ${topic} were gone before they were read`,
  );
  // While it is away, killed before.
  await analytics.child.stop(0);
  await sendAndDelete(topic);
  analytics = await system.startAnalytics();
  expect(await lostOf(analytics)).toBe(LETTERS);
  await until('both losses are counted', async () => (await lostOf(analytics)) === 2 * LETTERS);
  const tables = await readFleetTables(queryWorker({ url: analytics.url, token: undefined }));
  expect(tables.lostRecords).toContainEqual({ topic, records: 2 * LETTERS });
  await analytics.child.stop(LEAVE_MILLIS);
});

it('counts the events of a partition that nobody had read yet, though none follows, in the tables for good', async () => {
  const { name: topic } = TOPICS.stream;
  signalGroup(stream.child.pid, 'SIGSTOP');
  await admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] });
  await sleep(1_000);
  const late = await kafka.producer();
  const events = feed.step().map((message) => ({ ...message, partition: 1 }));
  await late.send(topic, events);
  await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: String(events.length) }] });
  signalGroup(stream.child.pid, 'SIGCONT');
  await until('the loss is counted', async () => {
    return (await metric('fedloop_stream_records_lost_total', 'partition="1"')) === events.length;
  });
  // Those that were lost before as well: a warehouse reads all of them from the log of decisions, and a restart of the worker adds nothing.
  const before = (await metric('fedloop_stream_records_lost_total', 'partition="0"')) ?? 0;
  await stream.child.stop(0);
  stream = await system.startWorker('stream');
  const analytics = await system.startAnalytics();
  const lost = queryWorker({ url: analytics.url, token: undefined });
  await until('all losses are in the tables', async () => {
    const { lostRecords } = await readFleetTables(lost);
    return lostRecords.some((one) => one.topic === topic && one.records === before + events.length);
  });
  await analytics.child.stop(LEAVE_MILLIS);
  await late.disconnect();
});

it('counts the events that are gone while it does not read, though none follows', async () => {
  const { name: topic } = TOPICS.stream;
  signalGroup(stream.child.pid, 'SIGSTOP');
  await sleep(500);
  await send();
  const gone = await end();
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(gone) }] });
  signalGroup(stream.child.pid, 'SIGCONT');
  await until('the loss is counted', async () => {
    return ((await metric('fedloop_stream_records_lost_total', 'partition="0"')) ?? 0) > 0;
  });
  expect(await metric('fedloop_stream_lag_records', 'partition="0"')).toBe(0);
});

it('does not pass over the events of a topic that was made anew, and says why it does not read them, also after a restart', async () => {
  const before = await end();
  await admin.deleteTopics({ topics: [TOPICS.stream.name] });
  await sleep(1_000);
  await admin.createTopics({
    topics: [{ topic: TOPICS.stream.name, numPartitions: 1 }],
    waitForLeaders: true,
  });
  producer = await kafka.producer();
  // It is longer than the one before was: nothing but its id tells them apart.
  while ((await end()) <= before) await producer.send(TOPICS.stream.name, feed.step());
  const paused = 'partition="0",reason="source"';
  const untilPaused = () =>
    until('the partition is paused', async () => (await metric('fedloop_stream_paused', paused)) === 1);
  await untilPaused();
  await stream.child.stop(0);
  stream = await system.startWorker('stream');
  await untilPaused();
  expect(await readFile(stream.child.logFile, 'utf8')).toContain(
    'because the topic was deleted and made anew: it is not read; bring the old one back with the files of its brokers',
  );
  expect(await (await fetch(`${stream.url}/healthz`)).text()).toContain(
    `partition 0 of ${TOPICS.stream.name} is not read: its log is another one than was read`,
  );
  expect(stream.child.running).toBe(true);
});

it('reads nothing where the decisions that rows were made under are gone, and says what happened and what to do', async () => {
  await stream.child.stop(0);
  const topic = TOPICS.checkpoints.name;
  const configEntries = [{ name: 'cleanup.policy', value: 'compact,delete' }];
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }],
  });
  const [ends] = await admin.fetchTopicOffsets(topic);
  const end = ends?.high ?? '';
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: end }] });
  // Also when it is started again, as a supervisor does it.
  for (let starts = 0; starts < 2; starts += 1) {
    stream = await system.startWorker('stream');
    expect(await stream.child.ended).toMatchObject({ code: 2 });
    expect(await readFile(stream.child.logFile, 'utf8')).toContain(
      `decisions of partition 0 are gone: ${topic} begins at offset ${end}, and there is no checkpoint`,
    );
  }
});

async function send(): Promise<void> {
  for (let step = 0; step < STEPS; step += 1) await producer.send(TOPICS.stream.name, feed.step());
}

/** Records that the warehouse puts aside. */
async function sendLetters(topic: string): Promise<void> {
  const letters = Array.from({ length: LETTERS }, () => ({ key: null, value: 'no reject' }));
  await producer.send(topic, letters);
}

/** Send records, and delete all that the topic has. */
async function sendAndDelete(topic: string): Promise<void> {
  await sendLetters(topic);
  const [ends] = await admin.fetchTopicOffsets(topic);
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: ends?.high ?? '' }] });
}

async function end(): Promise<number> {
  return endsOf(await kafka.offsets(TOPICS.stream.name), 0).high;
}

function untilRead(events: number): Promise<void> {
  return until(`${events} events are read`, async () => {
    const lag = await metric('fedloop_stream_lag_records');
    return lag === 0 && ((await metric('fedloop_stream_events_read_total')) ?? 0) >= events;
  });
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const over = performance.now() + WAIT_MILLIS;
  while (!(await isSo())) {
    if (performance.now() > over)
      throw new Error(
        `not within ${WAIT_MILLIS / 1_000} s: ${what}\n${await readFile(stream.child.logFile, 'utf8')}`,
      );
    await sleep(100);
  }
}

/** Its value in the worker's metrics; the first that has this label. */
async function metric(name: string, label = '', worker = stream): Promise<number | undefined> {
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(name) && one.includes(label));
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1));
}
