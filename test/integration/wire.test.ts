import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompressionCodecs,
  CompressionTypes,
  ConfigResourceTypes,
  Kafka as KafkaJs,
  logLevel,
  Partitioners,
  type Admin,
  type Producer as LibraryProducer,
} from 'kafkajs';
import { compressSync as compressSnappy } from 'snappy';
import { z } from 'zod';
import { signalGroup } from '../../cli/processes/child';
import { queryTable } from '../../cli/query/query-worker';
import { poll } from '../../cli/shared/wait';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { sourceSchema } from '../../core/contracts/source';
import { ANALYTICS_GROUP_PREFIX, TOPICS } from '../../core/contracts/topics';
import { ATTRIBUTES, HEADER_BYTES, LEADER_EPOCH, LENGTH } from '../../core/platform/kafka/batch-format';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka, type OutgoingMessage, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { sealed } from '../support/batches';
import { type EventFeed } from '../support/event-feed';
import {
  createTopics,
  deployModel,
  deployStream,
  logSettings,
  stageModel,
} from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { verifiedAt } from '../support/verified';
import { taskWith } from '../support/task';

/** What lies in people's topics: every codec, transactions, damaged batches. Real broker, workers as processes. */
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 5_000_000 }),
  watermarkMicros: 10_000_000,
  idleMillis: 2_000,
};
const START = Date.UTC(2020, 0, 1) * 1_000;
const TOPIC = TOPICS.stream.name;
const UNKNOWN_CODEC = 6;

jest.setTimeout(180_000);

let system: StreamSystem;
let client: KafkaJs;
let admin: Admin;
let kafka: Kafka;
let producer: Producer;
let feed: EventFeed;
let analytics: WorkerProcess;
let stream: WorkerProcess;
/** Events that are neither aborted nor in a damaged batch. */
let readable = 0;

beforeAll(async () => {
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '1' });
  kafka = await system.connect();
  client = new KafkaJs({ brokers: [system.env['KAFKA_BROKERS'] ?? ''], logLevel: logLevel.NOTHING });
  admin = client.admin();
  await admin.connect();
  producer = await kafka.producer();
  feed = await deployStream(kafka, producer, SETTINGS, {
    seed: 5,
    devices: 10,
    start: START,
    stepMicros: 1_000_000,
    partitions: 1,
  });
  await fill();
  [analytics, stream] = await Promise.all([system.startAnalytics(), system.startWorker('stream')]);
});

afterAll(async () => {
  await admin.disconnect();
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
});

/** Everything that a partition can hold, one after the other, and an aborted transaction at its end. */
async function fill(): Promise<void> {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd']) {
    // The broker compresses with Java's codecs.
    await compressWith(codec);
    // It does so from some moment on.
    const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
    do await send(feed.step());
    while (codecs[batchesOf(await segment()).at(-1)?.codec ?? 0] !== codec);
  }
  await compressWith('producer');
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: ({ buffer }: { readonly buffer: Buffer }) => Promise.resolve(compressSnappy(buffer)),
  });
  await sendAs({}, feed.step(), CompressionTypes.Snappy);
  await sendAs({ idempotent: true }, feed.step());
  await send([{ key: null, value: null, partition: 0, timestampMillis: feed.now / 1_000 }]);
  const [unknown] = await producer.send(TOPIC, feed.step());
  await send(feed.step());
  const [damaged] = await producer.send(TOPIC, feed.step());
  await send(feed.step());
  await transact(feed.step(), 'commit');
  await transact(feed.step(), 'abort');
  await send(feed.step());
  await transact(feed.step(), 'abort');
  const log = await segment();
  expect(new Set(batchesOf(log).map(({ codec }) => codec))).toEqual(new Set([0, 1, 2, 3, 4]));
  spoil(log, unknown?.offset ?? 0, (batch) => {
    batch.writeInt16BE(UNKNOWN_CODEC, ATTRIBUTES);
    sealed(batch);
  });
  spoil(log, damaged?.offset ?? 0, (batch) =>
    batch.writeUInt8(batch.readUInt8(HEADER_BYTES + 20) ^ 1, HEADER_BYTES + 20),
  );
  await writeFile(segmentPath(), log);
}

async function send(messages: readonly OutgoingMessage[]): Promise<void> {
  readable += messages.length;
  await producer.send(TOPIC, messages);
}

const asLibraryMessages = (messages: readonly OutgoingMessage[]) =>
  messages.map(({ key, value, timestampMillis }) => ({
    key,
    value,
    partition: 0,
    timestamp: String(timestampMillis ?? 0),
  }));

async function sendAs(
  options: { readonly idempotent?: boolean },
  messages: readonly OutgoingMessage[],
  compression = CompressionTypes.None,
): Promise<void> {
  const own = client.producer({ ...options, createPartitioner: Partitioners.DefaultPartitioner });
  await own.connect();
  await own.send({ topic: TOPIC, messages: asLibraryMessages(messages), compression });
  await own.disconnect();
  readable += messages.length;
}

async function transact(messages: readonly OutgoingMessage[], end: 'commit' | 'abort'): Promise<void> {
  const own = client.producer({
    transactionalId: 'wire',
    idempotent: true,
    maxInFlightRequests: 1,
    createPartitioner: Partitioners.DefaultPartitioner,
  });
  await own.connect();
  const transaction = await own.transaction();
  await transaction.send({ topic: TOPIC, messages: asLibraryMessages(messages) });
  await transaction[end]();
  await own.disconnect();
  if (end === 'commit') readable += messages.length;
}

async function compressWith(codec: string): Promise<void> {
  const configEntries = [
    { name: 'compression.type', value: codec },
    { name: 'message.timestamp.before.max.ms', value: String(Number.MAX_SAFE_INTEGER) },
    { name: 'retention.ms', value: '-1' },
  ];
  await admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: TOPIC, configEntries }],
  });
}

const segmentPath = (): string =>
  join(system.folder, 'kafka', 'data', `${TOPIC}-0`, '00000000000000000000.log');
const segment = (): Promise<Buffer> => readFile(segmentPath());

function batchesOf(log: Buffer): readonly { at: number; end: number; offset: number; codec: number }[] {
  const batches = [];
  for (let at = 0; at < log.length;) {
    const end = at + LEADER_EPOCH + log.readInt32BE(at + LENGTH);
    batches.push({
      at,
      end,
      offset: Number(log.readBigInt64BE(at)),
      codec: log.readInt16BE(at + ATTRIBUTES) & 7,
    });
    at = end;
  }
  return batches;
}

/** Damage a batch of the broker's log, as a disk or a strange producer would. */
function spoil(log: Buffer, offset: number, damage: (batch: Buffer) => unknown): void {
  const place = batchesOf(log).find((batch) => batch.offset === offset);
  if (place === undefined) throw new Error(`no batch begins at ${offset}`);
  damage(log.subarray(place.at, place.end));
}

async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  const found = await poll(look, { everyMillis: 200, timeoutMillis: 60_000 });
  if (found === undefined) throw new Error('it did not come to that in time');
  return found;
}

async function metric(name: string): Promise<number | undefined> {
  const text = await (await fetch(`${stream.url}/metrics`)).text();
  const value = new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

const rejectRow = z.object({ source_offset: z.number() });

describe('a topic with every codec, transactions and damaged batches', () => {
  it('is read to its end, behind the last marker', async () => {
    const [end] = await kafka.offsets(TOPIC);
    await until(async () => ((await metric('fedloop_stream_lag_records')) === 0 ? true : undefined));
    expect(await metric('fedloop_stream_events_read_total')).toBe(readable + 2);
    expect(end?.high).toBeGreaterThan(readable);
  });

  it('closes its windows when nothing comes, although markers and aborted events are the last of it', async () => {
    await until(async () => {
      const { rows } = await queryTable(
        analytics.url,
        'SELECT max(window_start)::VARCHAR AS last FROM stream_analysis_results',
      );
      return String(rows[0]?.['last']) >= '2020-01-01 00:00:05' ? true : undefined;
    });
  });

  it('has each damaged batch as one reject', async () => {
    const sql = `SELECT source_offset::INT AS source_offset FROM rejected_rows WHERE reason = 'malformed' AND detail = 'undecodable-batch' ORDER BY 1`;
    const rows = await until(async () => {
      const found = z.array(rejectRow).parse((await queryTable(analytics.url, sql)).rows);
      return found.length === 2 ? found : undefined;
    });
    expect(rows).toHaveLength(2);
    const remedies: string[] = [];
    const tail = await kafka.tail({
      topic: TOPICS.rejects.name,
      from: 'start',
      onRecords: (records) => {
        for (const { headers } of records)
          if (headers['remedy'] !== undefined) remedies.push(headers['remedy']);
      },
    });
    await tail.caughtUp;
    await tail.close();
    expect(remedies).toEqual([
      expect.stringContaining(
        'its codec is unknown, so let its producer use gzip, snappy, lz4, zstd or none',
      ),
      expect.stringContaining('its bytes are damaged'),
    ]);
  });

  it('is what verify finds in it, to the last event', async () => {
    const { accounting, differences } = await verifiedAt(system, analytics.url);
    expect(differences.count).toBe(0);
    expect(accounting).toEqual([expect.objectContaining({ read: readable + 2, addsUp: true })]);
  });

  it('is taken over by another worker, which reads on and decides behind the markers', async () => {
    signalGroup(stream.child.pid, 'SIGKILL');
    await stream.child.stop(5_000);
    await deployModel(producer, 'v1', 2, SETTINGS.task);
    await stageModel(producer, 'v1', 'candidate');
    stream = await system.startWorker('stream');
    await until(async () => {
      const text = await (await fetch(`${stream.url}/metrics`)).text();
      return text.includes('version="v1"') ? true : undefined;
    });
    await send(Array.from({ length: 20 }, () => feed.step()).flat());
    await transact(feed.step(), 'abort');
    await until(async () =>
      (await metric('fedloop_stream_events_read_total')) === readable + 2 ? true : undefined,
    );
    const { accounting } = await verifiedAt(system, analytics.url);
    expect(accounting).toEqual([expect.objectContaining({ read: readable + 2, addsUp: true })]);
  });
});

describe('a warehouse', () => {
  it('says so when another program is in its consumer group, and has all partitions again without it', async () => {
    const { rows } = await queryTable(analytics.url, 'SELECT id FROM warehouse_identity');
    const health = async (): Promise<string> => (await fetch(`${analytics.url}/healthz`)).text();
    const other = await kafka.consume({
      groupId: `${ANALYTICS_GROUP_PREFIX}${String(rows[0]?.['id'])}`,
      topics: [TOPICS.analysis.name, TOPICS.evaluations.name],
      onAssigned: () => undefined,
      onBatch: () => Promise.resolve(),
      onFailure: () => undefined,
    });
    await until(async () =>
      (await health()).includes('another program is in the consumer group') ? true : undefined,
    );
    await other.stop();
    await until(async () => ((await health()).includes('another program') ? undefined : true));
    await send(Array.from({ length: 20 }, () => feed.step()).flat());
    await verifiedAt(system, analytics.url);
  });
});

describe('a topic that is not the deployment’s own', () => {
  const SOURCE_TOPIC = 'plant.telemetry';
  const plant = { FEDLOOP_TOPIC_PREFIX: 'plant-' };
  const settings: StreamSettings = {
    ...SETTINGS,
    source: sourceSchema.parse({ topic: SOURCE_TOPIC, from: 'latest' }),
  };

  it('is named in one sentence when it is missing, and is not made', async () => {
    const own = await connect({ FEDLOOP_TOPIC_PREFIX: 'nobody-' });
    await createTopics(own, 1);
    const settingsProducer = await own.producer();
    await logSettings(settingsProducer, { ...settings, source: sourceSchema.parse({ topic: 'no.such' }) });
    await expect(system.startWorker('stream', { FEDLOOP_TOPIC_PREFIX: 'nobody-' })).rejects.toThrow(
      'there is no topic no.such to read from',
    );
    expect(await admin.listTopics()).not.toContain('no.such');
    await settingsProducer.disconnect();
    await own.disconnect();
  });

  let own: Kafka;
  let settingsProducer: Producer;
  let foreign: LibraryProducer;
  let store: WorkerProcess;
  let worker: WorkerProcess;
  let at = START;

  /** A reading a second of one device in each of the partitions. */
  const sendTo = async (
    partitions: readonly number[],
    steps: number,
    deviceOf = (partition: number): string => `d${partition}`,
  ): Promise<void> => {
    for (let step = 0; step < steps; step += 1) {
      at += 1_000_000;
      const messages = partitions.map((partition) => ({
        partition,
        timestamp: String(at / 1_000),
        value: JSON.stringify({ device_id: deviceOf(partition), timestamp: at / 1_000, temperature: 20 }),
      }));
      await foreign.send({ topic: SOURCE_TOPIC, messages });
    }
  };
  const verify = (): ReturnType<typeof system.command> =>
    system.commandWith(plant, 'verify', '--analytics', store.url, '--json', '--wait', '60s');

  beforeAll(async () => {
    await admin.createTopics({
      topics: [
        {
          topic: SOURCE_TOPIC,
          numPartitions: 2,
          configEntries: [
            { name: 'message.timestamp.before.max.ms', value: String(Number.MAX_SAFE_INTEGER) },
          ],
        },
      ],
    });
    own = await connect(plant);
    await createTopics(own, 1);
    settingsProducer = await own.producer();
    await logSettings(settingsProducer, settings);
    foreign = client.producer({
      createPartitioner: Partitioners.DefaultPartitioner,
      metadataMaxAge: 100,
    });
    await foreign.connect();
    await sendTo([0, 1], 5);
    const file = { ...plant, FEDLOOP_WAREHOUSE: join(system.folder, 'plant.duckdb') };
    [store, worker] = await Promise.all([
      system.startWorker('analytics', file),
      system.startWorker('stream', plant),
    ]);
    await until(async () => ((await readBy(worker)).size === 2 ? true : undefined));
  });

  afterAll(async () => {
    await Promise.all([store, worker].map(({ child }) => child.stop(10_000)));
    await settingsProducer.disconnect();
    await foreign.disconnect();
    await own.disconnect();
  });

  it('is read from where it ended when the fleet began, also in partitions that are added, and verify agrees', async () => {
    await sendTo([0, 1], 30);
    await admin.createPartitions({ topicPartitions: [{ topic: SOURCE_TOPIC, count: 4 }] });
    await sleep(500);
    await sendTo([0, 1, 2, 3], 30);
    await until(async () => {
      const read = await readBy(worker);
      return [60, 60, 30, 30].every((events, partition) => read.get(partition) === events) ? true : undefined;
    });
    expect((await own.offsets(TOPICS.analysis.name)).length).toBe(4);
    const { code, out, err } = await verify();
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    const { accounting } = JSON.parse(out) as VerificationReport;
    expect(accounting.map(({ read }) => read)).toEqual([60, 60, 30, 30]);
  });

  it('may not hold a device in two partitions: verify names it and ends with exit code 1', async () => {
    await sendTo([0, 1], 20, () => 'everywhere');
    const { code, out, err } = await verify();
    expect({ code, err }).toEqual({
      code: 1,
      err: expect.stringContaining(
        '1 device sends to more than one partition (key the topic by device): everywhere',
      ) as string,
    });
    const { differences, splitDevices } = JSON.parse(out) as VerificationReport;
    expect(differences.count).toBe(0);
    expect(splitDevices).toEqual([{ device: 'everywhere', partitions: [0, 1] }]);
  });
});

const connect = (variables: Readonly<Record<string, string>>): Promise<Kafka> =>
  connectKafka(readEnvironment({ ...system.env, ...variables }), 'fedloop-test', silentLogger());

/** Events that a worker has read, by partition. */
async function readBy({ url }: WorkerProcess): Promise<ReadonlyMap<number, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(/^fedloop_stream_events_read_total\{[^}]*partition="(\d+)"[^}]*\} (\d+)$/gm);
  return new Map([...lines].map(([, partition, events]) => [Number(partition), Number(events)]));
}
