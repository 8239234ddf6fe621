import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin, Kafka as KafkaJs, logLevel } from 'kafkajs';
import { z } from 'zod';
import { queryTable } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { topicPrefixOf } from '../../core/contracts/config';
import { messageOf } from '../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { sourceSchema } from '../../core/contracts/source';
import { readSpread } from '../../core/ingest/source-memory';
import { foreignTopic, INGEST_GROUP, TOPICS } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { type Kafka, type OutgoingMessage, type Position, type Producer } from '../../core/platform/kafka';
import { Mosquitto } from '../support/mosquitto';
import { createTopics, logSettings } from '../support/stream-deployment';
import { describeWith, MOSQUITTO } from '../support/requirements';
import { StreamSystem } from '../support/stream-system';

/** Messages of people's own shapes, through real workers: from a topic of Kafka, and from an MQTT server. */

jest.setTimeout(180_000);

const START = Date.UTC(2026, 0, 1);
const WINDOW_SECONDS = 30;
const STEPS = 12;
/** A step an hour later, whose readings close the windows of all others. */
const CLOSING_STEP = 360;
const DEVICES = 5;
/** A worker has fetched several times within it. */
const FETCHED_MILLIS = 3_000;

function settingsWith(source: unknown): StreamSettings {
  return {
    ...DEFAULT_STREAM_SETTINGS,
    // Partitions of the source are read side by side: nothing is to be late for that.
    watermarkMicros: 600_000_000,
    // A quiet partition stays open while workers start again.
    idleMillis: 600_000,
    source: sourceSchema.parse(source),
  };
}

function adminOf({ env }: StreamSystem): Admin {
  return new KafkaJs({ brokers: [env['KAFKA_BROKERS'] ?? ''], logLevel: logLevel.NOTHING }).admin();
}

/** A deployment of its own on a broker of its own. */
class Deployment {
  private constructor(
    readonly system: StreamSystem,
    readonly kafka: Kafka,
    readonly producer: Producer,
    readonly analytics: WorkerProcess,
  ) {}

  static async start(
    settings: StreamSettings,
    before: (kafka: Kafka, producer: Producer) => Promise<void>,
  ): Promise<Deployment> {
    const system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '2' });
    const kafka = await system.connect();
    const producer = await kafka.producer();
    await createTopics(kafka, 2);
    await logSettings(producer, settings);
    await before(kafka, producer);
    const [analytics] = await Promise.all([system.startAnalytics(), system.startWorker('stream')]);
    return new Deployment(system, kafka, producer, analytics);
  }

  async rows<Row>(schema: z.ZodType<Row>, sql: string): Promise<Row[]> {
    return z.array(schema).parse((await queryTable(this.analytics.url, sql)).rows);
  }

  async until<Row>(schema: z.ZodType<Row>, sql: string, count: number): Promise<Row[]> {
    for (;;) {
      const rows = await this.rows(schema, sql);
      if (rows.length >= count) return rows;
      await sleep(200);
    }
  }

  async stop(): Promise<void> {
    await this.producer.disconnect();
    await this.kafka.disconnect();
    await this.system.stop();
  }
}

const windowRow = z.object({
  device_id: z.string(),
  start: z.number(),
  n: z.number(),
  avg: z.number(),
  humidity: z.number().nullable(),
});
const WINDOWS = `SELECT device_id, epoch(window_start)::DOUBLE AS start, count AS n, avg, humidity_avg AS humidity
  FROM stream_analysis_results WHERE epoch(window_start) < ${START / 1_000 + STEPS * 10} ORDER BY ALL`;
const rejectRow = z.object({
  reason: z.string(),
  detail: z.string(),
  file: z.string(),
  line: z.number().nullable(),
  raw: z.string(),
});
const REJECTS =
  "SELECT reason, detail, file, line, raw FROM rejected_rows WHERE source = 'ingest' ORDER BY file, line";

/** One reading a device every ten seconds: three a window. */
function temperature(device: number, step: number): number {
  return 20 + device + step / 10;
}

/** The windows that those readings fill. */
function expectedWindows(): unknown[] {
  return Array.from({ length: DEVICES }, (_, device) =>
    Array.from({ length: (STEPS * 10) / WINDOW_SECONDS }, (_, window) => ({
      device_id: String(1000 + device),
      start: START / 1_000 + window * WINDOW_SECONDS,
      n: 3,
      avg: expect.closeTo(temperature(device, 3 * window + 1), 9) as unknown,
      humidity: expect.closeTo(41.5, 9) as unknown,
    })),
  ).flat();
}

function byPartition<Place extends Position>(places: readonly Place[]): readonly Place[] {
  return places.toSorted((a, b) => a.partition - b.partition);
}

/** A broker that has just started takes some seconds until its groups are there; a worker tries again by itself. */
async function untilReady(ask: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await ask();
      return;
    } catch (cause) {
      if (!messageOf(cause).includes('coordinator')) throw cause;
    }
    await sleep(500);
  }
}

async function metricsOf(worker: WorkerProcess): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${worker.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('fedloop_ingest'));
  return new Map(
    lines.map((line) => [
      line.replace(/\{role="ingest"\}|,?role="ingest"/, '').replace(/ \S+$/, ''),
      Number(line.split(' ').at(-1)),
    ]),
  );
}

describe('a topic with messages of another shape', () => {
  const TOPIC = 'plant.telemetry';
  const fields = {
    device_id: '/meta/id',
    timestamp: { path: '/at', unit: 's' },
    temperature: '/values/t',
    humidity: { path: '/values/h', scale: 0.1 },
  };
  let deployment: Deployment;
  let ingest: WorkerProcess;

  /** Two messages a step: one has several readings of one device, the others several devices; null keys, any partition. */
  function messages(steps: readonly number[]): OutgoingMessage[] {
    return steps
      .map((step) => {
        const reading = (device: number): unknown => ({
          meta: { id: 1000 + device },
          values: {
            t: step % 2 === 0 ? temperature(device, step) : String(temperature(device, step)),
            h: 415,
          },
        });
        const at = START / 1_000 + step * 10;
        const groups = [
          [0, 1],
          [2, 3, 4],
        ];
        return groups.map((devices): OutgoingMessage => ({
          key: null,
          partition: step % 3,
          timestampMillis: at * 1_000,
          value: JSON.stringify({ at, readings: devices.map(reading) }),
        }));
      })
      .flat();
  }

  const bad: OutgoingMessage[] = [
    { key: 'gone', value: null, partition: 0, timestampMillis: START },
    { key: null, value: 'no JSON', partition: 1, timestampMillis: START },
    {
      key: null,
      value: JSON.stringify({ at: START / 1_000, readings: [{ meta: { id: 1 }, values: { t: 'hot' } }] }),
      partition: 2,
      timestampMillis: START,
    },
  ];

  beforeAll(async () => {
    const settings = settingsWith({ topic: TOPIC, each: '/readings', fields });
    deployment = await Deployment.start(settings, async (kafka, producer) => {
      await kafka.createTopics([{ name: foreignTopic(TOPIC), partitions: 3, cleanup: 'delete' }]);
      await producer.send(foreignTopic(TOPIC), [...bad, ...messages([...Array(STEPS).keys()])]);
    });
    ingest = await deployment.system.startWorker('ingest');
    while ((await metricsOf(ingest)).get('fedloop_ingest_readings_total') !== STEPS * DEVICES)
      await sleep(100);
    await deployment.producer.send(foreignTopic(TOPIC), messages([CLOSING_STEP]));
  });
  afterAll(() => deployment.stop());

  it('leads to the rows of its readings', async () => {
    const expected = expectedWindows();
    expect(await deployment.until(windowRow, WINDOWS, expected.length)).toEqual(expected);
  });

  it('lists what could not be mapped, with reason, path and place', async () => {
    expect(await deployment.until(rejectRow, REJECTS, 3)).toEqual([
      { reason: 'empty', detail: '/: the message has no bytes', file: `${TOPIC}/0`, line: 0, raw: '' },
      expect.objectContaining({ reason: 'not-json', file: `${TOPIC}/1`, line: 0, raw: 'no JSON' }),
      expect.objectContaining({
        reason: 'bad-temperature',
        detail: '/readings/0/values/t: "hot" is no reading',
        file: `${TOPIC}/2`,
      }),
    ]);
  });

  it('keeps the time of the source record, and a device in one partition', async () => {
    const tailed: { key: string; partition: number; at: number; value: string }[] = [];
    const tail = await deployment.kafka.tail({
      topic: TOPICS.stream.name,
      from: 'start',
      onRecords: (records) => {
        for (const { key, partition, timestampMillis: at, value } of records)
          tailed.push({ key: String(key), partition, at, value: String(value) });
      },
    });
    await tail.caughtUp;
    await tail.close();
    expect(tailed).toHaveLength((STEPS + 1) * DEVICES);
    const parsed = tailed.map(({ value }) => z.object({ timestamp: z.string() }).parse(JSON.parse(value)));
    expect(tailed.map(({ at }) => at)).toEqual(parsed.map(({ timestamp }) => Date.parse(timestamp)));
    const homes = new Set(tailed.map(({ key, partition }) => `${key} in ${partition}`));
    expect(homes.size).toBe(DEVICES);
  });

  it('counts every message once: read = mapped + rejected', async () => {
    const metrics = await metricsOf(ingest);
    expect(metrics.get('fedloop_ingest_messages_total{outcome="mapped"}')).toBe(2 * (STEPS + 1));
    expect(metrics.get('fedloop_ingest_messages_total{outcome="rejected"}')).toBe(3);
    expect(metrics.get('fedloop_ingest_readings_total')).toBe(DEVICES * (STEPS + 1));
    expect(metrics.get('fedloop_ingest_lag_records{partition="0"}')).toBe(0);
    expect(metrics.get('fedloop_ingest_source_connected')).toBe(1);
  });

  it('is read on from where a worker stopped', async () => {
    await ingest.child.stop(10_000);
    const committed = await deployment.kafka.committed(INGEST_GROUP, foreignTopic(TOPIC));
    const ends = await deployment.kafka.offsets(foreignTopic(TOPIC));
    expect(byPartition(committed)).toEqual(
      byPartition(ends.map(({ partition, high: offset }) => ({ partition, offset, isOurs: true }))),
    );
    ingest = await deployment.system.startWorker('ingest');
    const at = START / 1_000 + CLOSING_STEP * 10;
    const late = { at, readings: [{ meta: { id: 7 }, values: { t: 1 } }] };
    await deployment.producer.send(foreignTopic(TOPIC), [
      { key: null, value: JSON.stringify(late), partition: 1, timestampMillis: at * 1_000 },
    ]);
    while ((await metricsOf(ingest)).get('fedloop_ingest_readings_total') !== 1) await sleep(100);
    expect((await metricsOf(ingest)).get('fedloop_ingest_messages_total{outcome="mapped"}')).toBe(1);
  });
});

describe('messages that their topic let go while no worker read them', () => {
  const TOPIC = 'short.memory';
  const lostRow = z.object({ topic: z.string(), p: z.number(), a: z.number(), z: z.number() });

  it('stay counted in the tables, though none follows and the worker that noticed is gone', async () => {
    const deployment = await Deployment.start(settingsWith({ topic: TOPIC, each: '/list' }), async (kafka) =>
      kafka.createTopics([{ name: foreignTopic(TOPIC), partitions: 1, cleanup: 'delete' }]),
    );
    const admin = adminOf(deployment.system);
    await admin.connect();
    const send = (count: number): Promise<unknown> =>
      deployment.producer.send(
        foreignTopic(TOPIC),
        Array.from({ length: count }, () => ({ key: null, value: '{}' })),
      );
    const untilRejected = async (worker: WorkerProcess, count: number): Promise<void> => {
      const name = 'fedloop_ingest_messages_total{outcome="rejected"}';
      while ((await metricsOf(worker)).get(name) !== count) await sleep(100);
    };
    let ingest = await deployment.system.startWorker('ingest');
    await send(4);
    await untilRejected(ingest, 4);
    await ingest.child.stop(10_000);
    await send(6);
    // The library deletes where it has looked before.
    await admin.fetchTopicOffsets(TOPIC);
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '10' }] });
    ingest = await deployment.system.startWorker('ingest');
    const lost = 'fedloop_ingest_messages_lost_total{partition="0"}';
    while ((await metricsOf(ingest)).get(lost) !== 6) await sleep(100);
    await ingest.child.stop(0);
    // No record has come since. The group stands where it stood: the loss counts once.
    ingest = await deployment.system.startWorker('ingest');
    await send(1);
    await untilRejected(ingest, 1);
    const sql = 'SELECT topic, source_partition AS p, from_offset AS a, until_offset AS z FROM lost_records';
    const first = { topic: TOPIC, p: 0, a: 4, z: 10 };
    expect(await deployment.until(lostRow, sql, 1)).toEqual([first]);

    // A worker that runs finds nothing where it wanted to read on, and is gone before the next record.
    const group = (): Promise<readonly Position[]> =>
      deployment.kafka.committed(INGEST_GROUP, foreignTopic(TOPIC));
    while ((await group())[0]?.offset !== 11) await sleep(100);
    process.kill(ingest.child.pid, 'SIGSTOP');
    // The fetch that is under way is answered without a record.
    await sleep(FETCHED_MILLIS);
    await send(5);
    await admin.fetchTopicOffsets(TOPIC);
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '16' }] });
    process.kill(ingest.child.pid, 'SIGCONT');
    await sleep(FETCHED_MILLIS);
    await ingest.child.stop(0);
    ingest = await deployment.system.startWorker('ingest');
    await send(1);
    await untilRejected(ingest, 1);
    expect(await deployment.until(lostRow, `${sql} ORDER BY a`, 2)).toEqual([
      first,
      { topic: TOPIC, p: 0, a: 11, z: 16 },
    ]);

    // Brokers forget a group that nobody was in for a week.
    await ingest.child.stop(10_000);
    await send(3);
    await admin.fetchTopicOffsets(TOPIC);
    await admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: '20' }] });
    await admin.deleteGroups([topicPrefixOf(readEnvironment(deployment.system.env)) + INGEST_GROUP]);
    ingest = await deployment.system.startWorker('ingest');
    await send(1);
    await untilRejected(ingest, 1);
    const rows = await deployment.until(lostRow, `${sql} ORDER BY a`, 3);
    expect(rows.at(-1)).toEqual({ topic: TOPIC, p: 0, a: 17, z: 20 });

    // An operator moves the group on while nobody reads.
    await ingest.child.stop(10_000);
    await send(4);
    const groupId = topicPrefixOf(readEnvironment(deployment.system.env)) + INGEST_GROUP;
    const moved = { groupId, topic: TOPIC, partitions: [{ partition: 0, offset: '24' }] };
    await admin.setOffsets(moved);
    ingest = await deployment.system.startWorker('ingest');
    await send(1);
    await untilRejected(ingest, 2);
    const all = await deployment.until(lostRow, `${sql} ORDER BY a`, 4);
    expect(all.at(-1)).toEqual({ topic: TOPIC, p: 0, a: 21, z: 24 });
    await admin.disconnect();
    await deployment.stop();
  });
});

describe('a topic that is made anew', () => {
  const TOPIC = 'made.anew';

  it('is read from its beginning, whether a worker ran meanwhile or not, also where the source begins at its end', async () => {
    const source = { topic: TOPIC, each: '/list', from: 'latest' };
    const deployment = await Deployment.start(settingsWith(source), (kafka) =>
      kafka.createTopics([{ name: foreignTopic(TOPIC), partitions: 1, cleanup: 'delete' }]),
    );
    const admin = adminOf(deployment.system);
    await admin.connect();
    const makeAnew = async (): Promise<void> => {
      await admin.deleteTopics({ topics: [TOPIC] });
      while ((await admin.listTopics()).includes(TOPIC)) await sleep(100);
      // A client that knows the topic fails until it is there again.
      await admin.createTopics({ waitForLeaders: false, topics: [{ topic: TOPIC, numPartitions: 1 }] });
    };
    const send = (count: number): Promise<unknown> =>
      deployment.producer.send(
        foreignTopic(TOPIC),
        Array.from({ length: count }, () => ({ key: null, value: '{}' })),
      );
    const untilCommitted = async (offset: number): Promise<void> => {
      const group = (): Promise<readonly Position[]> =>
        deployment.kafka.committed(INGEST_GROUP, foreignTopic(TOPIC));
      while ((await group())[0]?.offset !== offset) await sleep(100);
    };
    let ingest = await deployment.system.startWorker('ingest');
    await untilCommitted(0);
    await send(3);
    await untilCommitted(3);
    await makeAnew();
    await send(2);
    await untilCommitted(2);
    await ingest.child.stop(10_000);
    await makeAnew();
    await send(4);
    ingest = await deployment.system.startWorker('ingest');
    await untilCommitted(4);
    const sql = "SELECT count(*)::INT AS n FROM rejected_rows WHERE source = 'ingest'";
    const untilStored = async (count: number): Promise<void> => {
      while ((await deployment.rows(z.object({ n: z.number() }), sql))[0]?.n !== count) await sleep(200);
    };
    await untilStored(9);

    // A worker that was frozen wakes in a log that is longer than the one before was, and has let go its beginning.
    const lostRow = z.object({ a: z.number(), z: z.number() });
    const lost = 'SELECT from_offset AS a, until_offset AS z FROM lost_records ORDER BY noticed_at';
    for (const [round, gone] of [3, 2].entries()) {
      process.kill(ingest.child.pid, 'SIGSTOP');
      await sleep(FETCHED_MILLIS);
      await makeAnew();
      await send(20);
      await admin.fetchTopicOffsets(TOPIC);
      await admin.deleteTopicRecords({
        topic: TOPIC,
        partitions: [{ partition: 0, offset: String(gone) }],
      });
      process.kill(ingest.child.pid, 'SIGCONT');
      await untilCommitted(20);
      const all = [3, 2].map((until) => ({ a: 0, z: until }));
      expect(await deployment.until(lostRow, lost, round + 1)).toEqual(all.slice(0, round + 1));
    }
    const everyOne = 'SELECT count(DISTINCT (line, rejected_at))::INT AS n FROM rejected_rows';
    expect((await deployment.rows(z.object({ n: z.number() }), everyOne))[0]?.n).toBe(9 + 17 + 18);
    await admin.disconnect();
    await ingest.child.stop(10_000);
    await deployment.stop();
  });
});

describe('topics of ingest that somebody deletes', () => {
  const TOPIC = 'goes.on';

  it('are made again by the worker, which reads on: nothing is lost, and devices stay where they are', async () => {
    const deployment = await Deployment.start(settingsWith({ topic: TOPIC, each: '/list' }), (kafka) =>
      kafka.createTopics([{ name: foreignTopic(TOPIC), partitions: 1, cleanup: 'delete' }]),
    );
    const { kafka, system } = deployment;
    const admin = adminOf(system);
    await admin.connect();
    const send = (count: number): Promise<unknown> =>
      deployment.producer.send(
        foreignTopic(TOPIC),
        Array.from({ length: count }, () => ({ key: null, value: '{}' })),
      );
    const everyReject = "SELECT line FROM rejected_rows WHERE source = 'ingest'";
    const rejects = (count: number) => deployment.until(z.object({ line: z.number() }), everyReject, count);
    const ingest = await system.startWorker('ingest');
    await send(3);
    await rejects(3);
    const spread = await readSpread(kafka);
    const own = [TOPICS.ingestMemory.name, TOPICS.ingestRejects.name];
    for (const [round, topics] of [...own.map((name) => [name]), own].entries()) {
      await admin.deleteTopics({
        topics: topics.map((name) => topicPrefixOf(readEnvironment(system.env)) + name),
      });
      await send(2);
      expect(await rejects(5 + 2 * round)).toHaveLength(5 + 2 * round);
      while (!(await isFull(kafka, TOPICS.ingestMemory.name))) await sleep(200);
      expect(await readSpread(kafka)).toBe(spread);
    }
    expect((await fetch(`${ingest.url}/healthz`)).status).toBe(200);
    await admin.disconnect();
    await ingest.child.stop(10_000);
    await deployment.stop();
  });

  async function isFull(kafka: Kafka, topic: string): Promise<boolean> {
    if ((await kafka.partitions(topic)) === undefined) return false;
    return (await kafka.offsets(topic)).some(({ high }) => high > 0);
  }
});

describe('a source that begins at its end', () => {
  it('is read from where the first worker found it, and a partition that is added from its beginning', async () => {
    const system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '1' });
    const kafka = await system.connect();
    const name = foreignTopic('begun');
    await kafka.createTopics([{ name, partitions: 2, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    const message = (partition: number): OutgoingMessage => ({
      key: null,
      partition,
      value: '{}',
      timestampMillis: START + partition,
    });
    await producer.send(name, [message(0), message(0), message(1)]);
    await untilReady(() => kafka.startGroup(INGEST_GROUP, name, 'latest'));
    await producer.send(name, [message(0)]);
    await kafka.startGroup(INGEST_GROUP, name, 'latest');
    expect(byPartition(await kafka.committed(INGEST_GROUP, name))).toEqual([
      { partition: 0, offset: 2, isOurs: false },
      { partition: 1, offset: 1, isOurs: false },
    ]);
    // What the library commits for a place that the broker no longer has: the group has begun, and reads on from the beginning.
    const admin = adminOf(system);
    await admin.connect();
    const groupId = `${topicPrefixOf(readEnvironment(system.env))}overtaken`;
    const partitions = [0, 1].map((partition) => ({ partition, offset: '-2' }));
    await admin.setOffsets({ groupId, topic: 'begun', partitions });
    await kafka.startGroup('overtaken', name, 'latest');
    const [places] = await admin.fetchOffsets({ groupId, topics: ['begun'] });
    expect(places?.partitions.map(({ offset }) => offset)).toEqual(['-2', '-2']);
    await admin.disconnect();
    await kafka.startGroup('another', name, START + 1);
    expect(byPartition(await kafka.committed('another', name))).toEqual([
      { partition: 0, offset: 3, isOurs: false },
      { partition: 1, offset: 0, isOurs: false },
    ]);
    await producer.disconnect();
    await kafka.disconnect();
    await system.stop();
  });
});

describeWith(MOSQUITTO, 'an MQTT server', () => {
  let deployment: Deployment;
  let server: Mosquitto;
  let ingest: WorkerProcess;

  function messages(from: number, until: number): { topic: string; value: string }[] {
    return Array.from({ length: until - from }, (_, at) => {
      const step = from + at;
      return Array.from({ length: DEVICES }, (_, device) => ({
        topic: `tele/${1000 + device}/SENSOR`,
        value: JSON.stringify({
          Time: new Date(START + step * 10_000).toISOString().slice(0, 19),
          AM2301: { Temperature: temperature(device, step), Humidity: 41.5 },
        }),
      }));
    }).flat();
  }

  beforeAll(async () => {
    server = await Mosquitto.make();
    const source = {
      mqtt: { url: server.url, topic: 'tele/+/SENSOR' },
      fields: {
        device_id: { topicPart: 1 },
        timestamp: '/Time',
        temperature: '/AM2301/Temperature',
        humidity: '/AM2301/Humidity',
      },
    };
    deployment = await Deployment.start(settingsWith(source), () => Promise.resolve());
    ingest = await deployment.system.startWorker('ingest');
  });
  afterAll(async () => {
    await deployment.stop();
    await server.remove();
  });

  it('that is away is said in the health of the worker, which goes on', async () => {
    const health = async (): Promise<string> => (await fetch(`${ingest.url}/healthz`)).text();
    while (!(await health()).includes('is away')) await sleep(100);
    expect(await health()).toContain(server.url);
    server.start();
    while ((await health()) !== 'ok\n') await sleep(100);
  });

  it('keeps the messages of a worker that is away; all of them lead to rows', async () => {
    await server.publish(messages(0, 4));
    while ((await metricsOf(ingest)).get('fedloop_ingest_readings_total') !== 4 * DEVICES) await sleep(100);
    await ingest.child.stop(10_000);
    await server.publish(messages(4, 8));
    ingest = await deployment.system.startWorker('ingest');
    // Another one waits until the first has ended.
    await deployment.system.startWorker('ingest');
    await server.publish([
      ...messages(8, STEPS),
      ...messages(CLOSING_STEP, CLOSING_STEP + 1),
      { topic: 'tele/x/SENSOR', value: '{"Time":"now"}' },
    ]);
    const expected = expectedWindows();
    expect(await deployment.until(windowRow, WINDOWS, expected.length)).toEqual(expected);
    const [reject] = await deployment.until(rejectRow, REJECTS, 1);
    expect(reject).toMatchObject({ reason: 'bad-timestamp', file: 'tele/x/SENSOR', line: null });
  });

  it('that has forgotten what it took for us is said, also by another worker than the one it took it for', async () => {
    const lost = "SELECT reason, detail, file, line, raw FROM rejected_rows WHERE reason = 'session-lost'";
    await server.stop();
    await server.forget();
    server.start();
    expect(await deployment.until(rejectRow, lost, 1)).toEqual([
      {
        reason: 'session-lost',
        detail: expect.stringMatching(
          /^\/: the MQTT server no longer had our session: .* from about .* until /,
        ) as string,
        file: 'tele/+/SENSOR',
        line: null,
        raw: '',
      },
    ]);
    await server.stop();
    await server.forget();
    await ingest.child.stop(10_000);
    server.start();
    await deployment.until(rejectRow, lost, 2);
  });
});
