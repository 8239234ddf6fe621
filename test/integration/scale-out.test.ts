import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { queryTable } from '../../cli/query/query-worker';
import { poll } from '../../cli/shared/wait';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { isoOfMicros } from '../../core/contracts/time';
import { ANALYTICS_GROUP_PREFIX, TOPICS } from '../../core/contracts/topics';
import { followDeployments } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka, type OutgoingMessage, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { createMetrics } from '../../core/platform/metrics';
import { SINK_LAG_PAUSE_BLOCKS, SINK_LOOK_MS, TICK_MS } from '../../core/stream/limits';
import { startStreamService, type StreamService } from '../../core/stream/service';
import { createTopics, deployStream, logSettings } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';

/** Stream workers side by side, and what they do when others are slow: real broker, real Temporal, workers as processes. */
const PARTITIONS = 4;
const DEVICES = 60;
const START = Date.UTC(2020, 0, 1) * 1_000;
const STEP_MICROS = 1_000_000;
const STEPS = 60;
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 5_000_000 }),
  watermarkMicros: 10_000_000,
  // Nothing closes for idleness while the two deployments are compared: when that happens is the clock's affair.
  idleMillis: 600_000,
};
/** Of two deployments on one broker, the one with a single stream worker. */
const SINGLE = { FEDLOOP_TOPIC_PREFIX: 'single.' };

jest.setTimeout(180_000);

let system: StreamSystem;

beforeAll(async () => {
  system = await StreamSystem.start();
});

afterAll(async () => {
  await system.stop();
});

const connect = (variables: Readonly<Record<string, string>> = {}): Promise<Kafka> =>
  connectKafka(readEnvironment({ ...system.env, ...variables }), 'fedloop-test', silentLogger());

async function until<Value>(look: () => Promise<Value | undefined>, millis = 90_000): Promise<Value> {
  const found = await poll(look, { everyMillis: 200, timeoutMillis: millis });
  if (found === undefined) throw new Error('it did not come to that in time');
  return found;
}

/** An event of each partition far ahead, so that everything before it closes. */
function closing(kafkaPartitions: number, at: number): OutgoingMessage[] {
  return Array.from({ length: kafkaPartitions }, (_, partition) => ({
    key: `closer-${partition}`,
    partition,
    timestampMillis: at / 1_000,
    value: JSON.stringify({ device_id: `closer-${partition}`, timestamp: isoOfMicros(at), temperature: 1 }),
  }));
}

/** Source partitions that a stream worker holds, as its metrics say. */
async function partitionsOf({ url }: WorkerProcess): Promise<number[]> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(/^fedloop_stream_epoch\{[^}]*partition="(\d+)"/gm)].map(([, partition]) =>
    Number(partition),
  );
}

const hashRow = z.object({ rows: z.number(), hash: z.string().nullable() });

/** Number and hash of all rows of a table, but for who wrote them and when. */
async function hashOf(url: string, table: string, leftOut: string): Promise<z.infer<typeof hashRow>> {
  const sql = `SELECT count(*)::DOUBLE AS rows, md5(string_agg(line, chr(10) ORDER BY line)) AS hash
    FROM (SELECT to_json(kept)::VARCHAR AS line FROM (SELECT * EXCLUDE (${leftOut}) FROM ${table}) AS kept)`;
  const [row] = (await queryTable(url, sql)).rows;
  return hashRow.parse(row);
}

describe('stream workers that share the partitions', () => {
  it('join with nothing but two addresses, take half each, and give the rows that one alone gives', async () => {
    const deployments = await Promise.all(
      [{}, SINGLE].map(async (variables) => {
        const kafka = await connect(variables);
        const producer = await kafka.producer();
        const feed = await deployStream(kafka, producer, SETTINGS, {
          seed: 7,
          devices: DEVICES,
          start: START,
          stepMicros: STEP_MICROS,
          partitions: PARTITIONS,
        });
        return { kafka, producer, feed };
      }),
    );
    const send = async (steps: number): Promise<void> => {
      for (const { producer, feed } of deployments)
        await producer.send(TOPICS.stream.name, Array.from({ length: steps }, () => feed.step()).flat());
    };
    await send(STEPS / 2);
    const storeOf = (name: string, variables: Readonly<Record<string, string>>): Promise<WorkerProcess> =>
      system.startWorker('analytics', { ...variables, FEDLOOP_WAREHOUSE: `${system.folder}/${name}.duckdb` });
    const [shared, single] = await Promise.all([storeOf('shared', {}), storeOf('single', SINGLE)]);
    const [first, alone] = await Promise.all([
      system.startBareStream(),
      system.startWorker('stream', SINGLE),
    ]);
    expect((await until(async () => whole(await partitionsOf(first)))).length).toBe(PARTITIONS);

    const second = await system.startBareStream();
    const [one, other] = await until(async () => {
      const both = await Promise.all([partitionsOf(first), partitionsOf(second)]);
      return both.every(({ length }) => length === PARTITIONS / 2) ? both : undefined;
    });
    expect([...one, ...other].sort()).toEqual([0, 1, 2, 3]);
    expect((await partitionsOf(alone)).length).toBe(PARTITIONS);

    await send(STEPS / 2);
    for (const { producer } of deployments)
      await producer.send(TOPICS.stream.name, closing(PARTITIONS, START + 3 * STEPS * STEP_MICROS));
    const { code, err } = await system.command(
      'verify',
      '--analytics',
      shared.url,
      '--json',
      '--wait',
      '60s',
    );
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    for (const [table, leftOut] of [
      ['stream_analysis_results', 'epoch'],
      ['evaluation_rows', 'epoch, evaluation_timestamp'],
      ['rejected_rows', 'rejected_at'],
    ] as const) {
      const ofShared = await hashOf(shared.url, table, leftOut);
      expect(ofShared.rows).toBeGreaterThan(50);
      const ofSingle = await until(async () => {
        const found = await hashOf(single.url, table, leftOut);
        return found.rows >= ofShared.rows ? found : undefined;
      });
      expect({ table, ...ofShared }).toEqual({ table, ...ofSingle });
    }
    for (const { kafka, producer } of deployments) {
      await producer.disconnect();
      await kafka.disconnect();
    }
    await Promise.all([first, second, alone, shared, single].map(({ child }) => child.stop(10_000)));
  });
});

const whole = (partitions: number[]): number[] | undefined =>
  partitions.length === PARTITIONS ? partitions : undefined;

/** A stream service of this process on topics of its own. */
interface Bench {
  readonly service: StreamService;
  readonly kafka: Kafka;
  readonly producer: Producer;
  /** `fedloop_stream_paused` of partition 0. */
  pausedFor(reason: string): Promise<number | undefined>;
  /** `fedloop_stream_epoch` of partition 0. */
  epoch(): Promise<number | undefined>;
  close(): Promise<void>;
}

async function bench(prefix: string, settings: StreamSettings): Promise<Bench> {
  const variables = { FEDLOOP_TOPIC_PREFIX: prefix };
  const kafka = await connect(variables);
  await createTopics(kafka, 1);
  const producer = await kafka.producer();
  await logSettings(producer, settings);
  const deployments = await followDeployments(kafka, silentLogger());
  const registry = createMetrics('stream');
  const service = await startStreamService({
    kafka,
    deployments,
    log: silentLogger(),
    registry,
  });
  const valuesOf = async (name: string) => (await registry.getSingleMetric(name)!.get()).values;
  return {
    service,
    kafka,
    producer,
    async pausedFor(reason) {
      const values = await valuesOf('fedloop_stream_paused');
      return values.find(({ labels }) => labels['reason'] === reason)?.value;
    },
    async epoch() {
      return (await valuesOf('fedloop_stream_epoch'))[0]?.value;
    },
    async close() {
      await service.stop();
      await deployments.close();
      await producer.disconnect();
      await kafka.disconnect();
    },
  };
}

/** A reading of the one device of these topics. */
function eventAt(micros: number): OutgoingMessage {
  return {
    key: 'a',
    timestampMillis: micros / 1_000,
    value: JSON.stringify({ device_id: 'a', timestamp: isoOfMicros(micros), temperature: 1 }),
  };
}

const readOf = ({ service }: Bench): number => service.status().partitions[0]?.offset ?? 0;

describe('a stream worker', () => {
  it('reads no further while a living warehouse is far behind, keeps its partition, and goes on with it or without it', async () => {
    const settings = { ...SETTINGS, task: taskWith({ windowMicros: 1_000_000 }), watermarkMicros: 2_000_000 };
    const world = await bench('behind.', settings);
    const events = SINK_LAG_PAUSE_BLOCKS + 100;
    let at = START;
    const send = async (count: number): Promise<void> => {
      await world.producer.send(
        TOPICS.stream.name,
        Array.from({ length: count }, () => eventAt((at += settings.task.windowMicros))),
      );
    };
    const storedSoFar = async (offsetOf: (high: number) => number): Promise<void> => {
      for (const { name: topic } of [TOPICS.analysis, TOPICS.evaluations]) {
        const [end] = await world.kafka.offsets(topic);
        await warehouse.commit([{ topic, partition: 0, offset: offsetOf(end!.high) }]);
      }
    };
    const warehouse = await world.kafka.consume({
      groupId: `${ANALYTICS_GROUP_PREFIX}of-a-slow-disk`,
      topics: [TOPICS.analysis.name, TOPICS.evaluations.name],
      onAssigned: () => undefined,
      onBatch: async () => {
        await sleep(100);
      },
      onFailure: () => undefined,
    });
    // Refused until the group has its first member.
    await until(() =>
      storedSoFar(() => 0).then(
        () => true,
        () => undefined,
      ),
    );

    await send(events);
    await until(async () => ((await world.pausedFor('sink')) === 1 ? true : undefined));
    const epoch = await world.epoch();
    await send(10);
    await sleep(2 * SINK_LOOK_MS);
    expect(readOf(world)).toBe(events);

    await storedSoFar((high) => high);
    await until(() => Promise.resolve(readOf(world) === events + 10 ? true : undefined));
    expect(await world.pausedFor('sink')).toBe(0);

    await send(events);
    await until(async () => ((await world.pausedFor('sink')) === 1 ? true : undefined));
    await send(10);
    // Nothing waits for one that is down: what it lacks waits in Kafka's log.
    await warehouse.stop();
    await until(() => Promise.resolve(readOf(world) === 2 * (events + 10) ? true : undefined));
    expect(await world.pausedFor('sink')).toBe(0);
    expect(await world.epoch()).toBe(epoch);
    await world.close();
  });

  it('closes the windows of a partition gone quiet after the time-out, and a tick later at the latest', async () => {
    const settings = { ...SETTINGS, idleMillis: 3_000 };
    const world = await bench('quiet.', settings);
    const closed: number[] = [];
    const tail = await world.kafka.tail({
      topic: TOPICS.analysis.name,
      from: 'end',
      onRecords: (records) => {
        for (const { timestampMillis, value } of records)
          if (value?.toString().includes('"analysis"') === true) closed.push(timestampMillis);
      },
    });
    const end = START + SETTINGS.task.windowMicros;
    await world.producer.send(TOPICS.stream.name, [eventAt(START), eventAt(end)]);
    await until(() => Promise.resolve(readOf(world) === 2 ? true : undefined));
    const quietSince = Date.now();
    await until(() => Promise.resolve(closed.length > 0 ? true : undefined), 20_000);
    const waited = closed[0]! - quietSince;
    // The second event's window ends behind the largest event time: it stays open.
    await sleep(2 * TICK_MS);
    expect(closed).toHaveLength(1);
    expect(waited).toBeGreaterThan(settings.idleMillis - POLL_MILLIS);
    expect(waited).toBeLessThan(settings.idleMillis + TICK_MS + SLACK_MILLIS);
    await tail.close();
    await world.close();
  });
});

/** `quietSince` is known no finer than `until` looks, and a decision takes two answers of a busy broker. */
const POLL_MILLIS = 300;
const SLACK_MILLIS = 1_000;
