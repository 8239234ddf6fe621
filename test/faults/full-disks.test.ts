import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { signalGroup } from '../../cli/processes/child';
import { poll } from '../../cli/shared/wait';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { checkpointKeys } from '../../core/contracts/checkpoints';
import { messageWithHint } from '../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka, type Producer } from '../../core/platform/kafka';
import { seededRandom } from '../../core/platform/random';
import { PartitionLogs } from '../../core/stream/ownership/checkpoint-log';
import { piecesOf } from '../../core/stream/ownership/checkpoint-chunks';
import { type EventFeed } from '../support/event-feed';
import { describeWith, MOUNT } from '../support/requirements';
import { SmallDisk } from '../support/small-disk';
import { processesIn } from '../support/soundness';
import { deployStream } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';

/**
 * Workers and a broker whose disks fill up, and checkpoints that are damaged at rest, while events come in. A run of all tests takes each
 * fault once; `npm run test:faults -- --kind disks --times 20` takes each so often, in random order.
 */
const SEED = Number(process.env['FEDLOOP_FAULT_SEED'] ?? 1);
const TIMES = Number(process.env['FEDLOOP_FAULT_TIMES'] ?? 1);
const PARTITIONS = 2;
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 2_000_000 }),
  watermarkMicros: 4_000_000,
  idleMillis: 1_500,
};
const STEP_MILLIS = 100;
/** A worker notices within a second or two; a broker that starts again takes up to ten times as long on a busy machine. */
const NOTICE_MILLIS = 60_000;
/** What a long run has to hold: 400 events a second, and their rows. */
const MEGABYTES = { kafka: 160 + 30 * TIMES, warehouse: 64 + 4 * TIMES, logs: 24 + 2 * TIMES };

jest.setTimeout(120_000 + TIMES * 120_000);

const reportSchema = z.object({
  differences: z.object({ count: z.int() }),
  compared: z.object({ stream_analysis_results: z.int() }),
  accounting: z.array(z.object({ addsUp: z.boolean() })),
});

describeWith(MOUNT, `disks that fill up and checkpoints that are damaged (seed ${SEED})`, () => {
  let system: StreamSystem;
  let kafka: Kafka;
  let producer: Producer;
  let feed: EventFeed;
  let disks: Readonly<Record<keyof typeof MEGABYTES, SmallDisk>>;
  let analytics: WorkerProcess;
  let stream: WorkerProcess;

  beforeAll(async () => {
    system = await StreamSystem.start(
      { FEDLOOP_PARTITIONS: String(PARTITIONS), FEDLOOP_SESSION_TIMEOUT: '4s', FEDLOOP_LOG_LEVEL: 'debug' },
      (folder) => {
        disks = {
          kafka: SmallDisk.mount(join(folder, 'kafka'), MEGABYTES.kafka),
          warehouse: SmallDisk.mount(join(folder, 'rows'), MEGABYTES.warehouse),
          logs: SmallDisk.mount(join(folder, 'logs'), MEGABYTES.logs),
        };
      },
    );
    kafka = await system.connect();
    producer = await kafka.producer('outage');
    feed = await deployStream(kafka, producer, SETTINGS, {
      seed: SEED,
      devices: 40,
      start: Date.UTC(2020, 0, 1) * 1_000,
      stepMicros: 300_000,
      partitions: PARTITIONS,
    });
    [analytics, stream] = await Promise.all([startAnalytics(), system.startWorker('stream')]);
  });

  afterAll(async () => {
    await producer.disconnect();
    await kafka.disconnect();
    for (const disk of Object.values(disks)) disk.unmount();
    await system.stop();
  });

  const warehouseFile = (): string => join(disks.warehouse.folder, 'w.duckdb');
  const startAnalytics = (): Promise<WorkerProcess> =>
    system.startWorker('analytics', { FEDLOOP_WAREHOUSE: warehouseFile() });

  const healthOf = async ({ url }: WorkerProcess): Promise<string> => (await fetch(`${url}/healthz`)).text();

  const until = async (what: string, is: () => Promise<boolean>): Promise<void> => {
    const came = await poll(async () => ((await is()) ? true : undefined), {
      everyMillis: 200,
      timeoutMillis: NOTICE_MILLIS,
    });
    if (came !== true) throw new Error(`it did not come that ${what}: ${await healthOf(analytics)}`);
  };

  /** @returns what was said about it. */
  const faults: Readonly<Record<string, () => Promise<string>>> = {
    async 'the disk of the warehouse is full'() {
      disks.warehouse.fill();
      await until('rows wait', async () => (await healthOf(analytics)) !== 'ok\n');
      const said = await healthOf(analytics);
      disks.warehouse.free();
      await until('rows are stored', async () => (await healthOf(analytics)) === 'ok\n');
      return said;
    },
    async 'the disk of the broker is full'() {
      disks.kafka.fill();
      const { message, hint } = await system.brokerEnd();
      disks.kafka.free();
      await system.restartBroker('killed');
      return `${message}. ${hint ?? ''}`;
    },
    async 'the disk of the logs is full'() {
      disks.logs.fill();
      // Of a broker that is away there is more to log than fits the last page.
      await system.restartBroker('killed', 3_000);
      expect([analytics.child.running, stream.child.running]).toEqual([true, true]);
      disks.logs.free();
      // What a log says when it goes on: `unit/platform/full-log`.
      return 'both workers run';
    },
    async 'the warehouse is damaged'() {
      signalGroup(analytics.child.pid, 'SIGKILL');
      await analytics.child.ended;
      const file = warehouseFile();
      await writeFile(file, Buffer.alloc(8_192, 'x'), { flag: 'r+' });
      const said = await startAnalytics().then(
        () => 'it started',
        (cause: unknown) => messageWithHint(cause),
      );
      // As the sentence says.
      await Promise.all([rm(file), rm(`${file}.wal`, { force: true })]);
      analytics = await startAnalytics();
      return said;
    },
    async 'checkpoints are damaged'() {
      signalGroup(stream.child.pid, 'SIGKILL');
      await stream.child.ended;
      await damageCheckpoints(kafka, producer);
      stream = await system.startWorker('stream');
      let metrics = '';
      await until('a checkpoint is passed over', async () => {
        metrics = await (await fetch(`${stream.url}/metrics`)).text();
        return /^fedloop_stream_checkpoints_passed_over_total(\{.*\})? [1-9]/m.test(metrics);
      });
      return readFile(stream.child.logFile, 'utf8');
    },
  };
  const SAID: Readonly<Record<keyof typeof faults, RegExp>> = {
    'the disk of the warehouse is full':
      /^the disk of \S+w\.duckdb is full, so rows wait in their topics\. Free space on it/,
    'the disk of the broker is full': /^Kafka ended unexpectedly: the disk of \S+ is full\. Free space on it/,
    'the disk of the logs is full': /both workers run/,
    'the warehouse is damaged':
      /the warehouse \S+ is damaged: .*valid DuckDB database.* Move \S+ and \S+ away and start again/s,
    'checkpoints are damaged': /damaged checkpoints are passed over.*nothing has to be done/,
  };

  it('loses no row, says what is the matter, and goes on by itself once there is space', async () => {
    const random = seededRandom(SEED, 'disks');
    const order = Object.keys(faults).flatMap((name) => Array<string>(TIMES).fill(name));
    if (TIMES > 1) random.shuffle(order);
    const sending = keepSending(feed, producer);
    for (const [i, name] of order.entries()) {
      await sleep(1_000 + random.below(2_000));
      const begun = Date.now();
      expect(await faults[name]?.()).toMatch(SAID[name] ?? /never/);
      if (TIMES > 1) process.stderr.write(`${i + 1}/${order.length} ${name}: ${Date.now() - begun} ms\n`);
    }
    await sending.stop();
    const verified = await system.command('verify', '--analytics', analytics.url, '--json', '--wait', '90s');
    expect(verified).toMatchObject({ code: 0 });
    const report = reportSchema.parse(JSON.parse(verified.out));
    expect(report).toMatchObject({
      differences: { count: 0 },
      accounting: [{ addsUp: true }, { addsUp: true }],
    });
    expect(report.compared.stream_analysis_results).toBeGreaterThan(100);
    await Promise.all([analytics.child.stop(20_000), stream.child.stop(20_000)]);
    // The broker alone is left.
    expect(await processesIn(system.folder)).toHaveLength(1);
  });
});

/** Behind the newest checkpoint of each partition: one of another kind, one with other bytes than it was written with, and one that is none. */
async function damageCheckpoints(kafka: Kafka, producer: Producer): Promise<void> {
  const logs = new PartitionLogs();
  const tail = await logs.follow(kafka);
  for (let partition = 0; partition < PARTITIONS; partition += 1) {
    const { epoch } = logs.of(partition);
    const sequence = (logs.of(partition).latestCheckpoint()?.sequence ?? 0) + 1;
    const topic = TOPICS.checkpoints.name;
    const [other] = piecesOf(Buffer.from('another magic, and no state'), { partition, epoch, sequence });
    const [damaged] = piecesOf(Buffer.from('state'), { partition, epoch, sequence: sequence + 1 });
    if (other === undefined || damaged === undefined) throw new Error('no pieces were made');
    damaged.value.write('x', damaged.value.length - 1);
    await producer.send(topic, [
      { key: other.key, partition, value: other.value },
      { key: damaged.key, partition, value: damaged.value },
      {
        key: checkpointKeys.piece(partition, epoch, sequence + 2, 0),
        partition,
        value: Buffer.from('garbage'),
      },
    ]);
  }
  await tail.close();
}

function keepSending(feed: EventFeed, producer: Producer): { readonly stop: () => Promise<void> } {
  const ended = new AbortController();
  const done = (async () => {
    while (!ended.signal.aborted) {
      await producer.send(TOPICS.stream.name, feed.step());
      await sleep(STEP_MILLIS);
    }
  })();
  done.catch(() => undefined);
  return {
    async stop() {
      ended.abort();
      await done;
    },
  };
}
