import { setTimeout as sleep } from 'node:timers/promises';
import { queryTable } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { signalGroup } from '../../cli/processes/child';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka, type Producer } from '../../core/platform/kafka';
import { type Random, seededRandom } from '../../core/platform/random';
import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { openWarehouse } from '../../core/warehouse/database/open';
import { type EventFeed } from '../support/event-feed';
import { deployModel, deployStream, stageModel } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';

/**
 * Real workers as processes, a real broker, and faults at random points: whatever happens, the tables hold exactly the
 * rows that the event log leads to. FEDLOOP_FAULT_SEED gives other orders of faults.
 */
const SEED = Number(process.env['FEDLOOP_FAULT_SEED'] ?? 1);
const PARTITIONS = 4;
const DEVICES = 40;
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 2_000_000 }),
  watermarkMicros: 4_000_000,
  idleMillis: 1_500,
};
/** Short, so that a frozen worker is replaced within seconds. */
const SESSION_MILLIS = 2_000;
const START = Date.UTC(2020, 0, 1) * 1_000;
/** A reading of every device each 100 ms, and three seconds of simulated time a second. */
const STEP_MILLIS = 100;
const STEP_MICROS = 300_000;

type Fault =
  'kill stream' | 'kill analytics' | 'freeze stream' | 'join' | 'leave' | 'restart broker' | 'quiet';
const FAULTS: readonly Fault[] = [
  ...Array<Fault>(6).fill('kill stream'),
  ...Array<Fault>(4).fill('kill analytics'),
  ...Array<Fault>(3).fill('freeze stream'),
  ...Array<Fault>(2).fill('join'),
  ...Array<Fault>(2).fill('leave'),
  ...Array<Fault>(2).fill('restart broker'),
  'quiet',
];
/** A worker that is told to go finishes its batch and its checkpoint, over a broker that may just be coming back. */
const LEAVE_MILLIS = 30_000;
const TEST_MILLIS = 300_000;

jest.setTimeout(TEST_MILLIS);

let system: StreamSystem;
let kafka: Kafka;
let producer: Producer;
let feed: EventFeed;
/** As soon as it is ready; it may just be coming back. */
let analytics: Promise<WorkerProcess>;
/** Those that are ready. Others are on their way. */
const streams: WorkerProcess[] = [];
const coming = new Set<Promise<void>>();
const history: string[] = [];
let report: VerificationReport;

beforeAll(async () => {
  system = await StreamSystem.start({
    FEDLOOP_PARTITIONS: String(PARTITIONS),
    FEDLOOP_SESSION_TIMEOUT: `${SESSION_MILLIS}ms`,
  });
  kafka = await system.connect();
  producer = await kafka.producer();
  feed = await deployStream(kafka, producer, SETTINGS, {
    seed: SEED,
    devices: DEVICES,
    start: START,
    stepMicros: STEP_MICROS,
    partitions: PARTITIONS,
  });
  analytics = system.startAnalytics();
  startStream();
  startStream();
  await Promise.all([analytics, ...coming]);
}, TEST_MILLIS);

afterAll(async () => {
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
}, 60_000);

describe(`a stream with faults at random points (seed ${SEED})`, () => {
  it('stores exactly the rows that the event log leads to, and accounts for every event', async () => {
    const random = seededRandom(SEED, 'faults');
    const faults = [...FAULTS];
    random.shuffle(faults);
    const sending = startSending();
    // v1 comes as a candidate, replaces v0 and is replaced by v2, while things go wrong.
    const stages: readonly (() => Promise<void>)[] = [
      async () => {
        await deployModel(producer, 'v1', 1);
        await stageModel(producer, 'v1', 'candidate');
      },
      () => stageModel(producer, 'v1', 'champion'),
      () => stageModel(producer, 'v0', 'retired'),
      async () => {
        await deployModel(producer, 'v2', 2);
        await stageModel(producer, 'v2', 'candidate');
      },
      () => stageModel(producer, 'v2', 'rejected'),
      () => stageModel(producer, 'v0', 'champion'),
    ];
    for (const [i, fault] of faults.entries()) {
      await sleep(200 + random.below(1_300));
      if (i % 3 === 1) await stages[(i - 1) / 3]?.();
      history.push(fault);
      await commit(fault, random, sending);
    }
    expect(history.length).toBeGreaterThanOrEqual(20);
    await Promise.all([analytics, ...coming]);
    await sending.stop();

    const { code, out, err } = await verify();
    const isClean = code === 0;
    expect({
      ...{ code, err: isClean ? '' : err, seed: SEED, history, out: isClean ? '' : out },
      onTheWay: isClean ? [] : await lostOnTheWay(),
    }).toEqual({ code: 0, err: '', seed: SEED, history, out: '', onTheWay: [] });
    report = JSON.parse(out) as VerificationReport;
    expect(report.differences.count).toBe(0);
    expect(report.accounting.map(({ addsUp }) => addsUp)).toEqual([true, true, true, true]);
  });

  it('which is no empty claim: windows, evaluations of every version and every kind of reject were compared', () => {
    const { compared, accounting } = report;
    expect(compared.stream_analysis_results).toBeGreaterThan(1_000);
    expect(compared.model_evaluations).toBeGreaterThan(compared.stream_analysis_results);
    for (const reason of ['late', 'duplicate', 'future', 'malformed'] as const)
      expect(accounting.reduce((sum, { rejected }) => sum + rejected[reason], 0)).toBeGreaterThan(10);
    const sent = accounting.reduce((sum, { read }) => sum + read, 0);
    expect(sent).toBeGreaterThanOrEqual(sentEvents);
  });

  it('and tells rows that were changed, lost, made up or doubled', async () => {
    // Partitions gone quiet close windows still: what is written from here on nobody would store.
    await Promise.all(streams.map(({ child }) => child.stop(10_000)));
    expect(await verify()).toMatchObject({ code: 0 });
    await (await analytics).child.stop(10_000);
    const warehouse = await openWarehouse(system.warehouse);
    const connection = await warehouse.connect();
    const some = 'rowid = (SELECT min(rowid) + 7 FROM';
    await connection.run(
      `UPDATE stream_analysis_results SET avg = avg + 1e-12 WHERE ${some} stream_analysis_results)`,
    );
    await connection.run(`DELETE FROM evaluation_rows WHERE ${some} evaluation_rows)`);
    await connection.run(
      `INSERT INTO rejected_rows SELECT source, 'late', detail, source_partition, source_offset, file, line, raw, rejected_at
       FROM rejected_rows WHERE ${some} rejected_rows)`,
    );
    await connection.run(
      `INSERT INTO evaluation_rows SELECT * REPLACE ('ghost' AS device_id) FROM evaluation_rows
       WHERE rowid = (SELECT min(rowid) + 3 FROM evaluation_rows)`,
    );
    await warehouse.close();
    const { code, out } = await system.commandWith(
      { FEDLOOP_WAREHOUSE: system.warehouse },
      'verify',
      '--json',
      '--wait',
      '0s',
    );
    expect(code).toBe(1);
    const told = JSON.parse(out) as VerificationReport;
    expect(told.differences.byTable).toEqual({
      stream_analysis_results: { different: 1 },
      model_evaluations: { missing: 1, unexpected: 1 },
      rejected_rows: { repeated: 1 },
    });
    expect(told.accounting.filter(({ addsUp }) => !addsUp)).toHaveLength(1);
  });
});

let sentEvents = 0;

interface Sending {
  /** Nothing is sent for so long. */
  pause(millis: number): Promise<void>;
  stop(): Promise<void>;
}

function startSending(): Sending {
  const ended = new AbortController();
  let pausedUntil = 0;
  const done = (async () => {
    while (!ended.signal.aborted) {
      if (performance.now() >= pausedUntil) {
        const messages = feed.step();
        await producer.send(TOPICS.stream.name, messages);
        sentEvents += messages.length;
      }
      await sleep(STEP_MILLIS);
    }
  })();
  done.catch(() => undefined);
  return {
    async pause(millis) {
      pausedUntil = performance.now() + millis;
      await sleep(millis);
    },
    async stop() {
      ended.abort();
      await done;
    },
  };
}

/** A worker more; faults go on while it comes up. */
function startStream(): void {
  const start = system.startWorker('stream').then((worker) => {
    streams.push(worker);
    coming.delete(start);
  });
  start.catch(() => undefined);
  coming.add(start);
}

async function commit(fault: Fault, random: Random, sending: Sending): Promise<void> {
  while (streams.length === 0) await Promise.race(coming);
  const place = random.below(streams.length);
  const stream = streams[place]!;
  switch (fault) {
    case 'kill stream':
      signalGroup(stream.child.pid, 'SIGKILL');
      streams.splice(place, 1);
      startStream();
      return;
    case 'kill analytics': {
      const { child } = await analytics;
      signalGroup(child.pid, 'SIGKILL');
      await child.ended;
      analytics = system.startAnalytics();
      return;
    }
    case 'freeze stream':
      signalGroup(stream.child.pid, 'SIGSTOP');
      // Long enough for the broker to give its partitions away, and for another to write under them.
      await sleep(SESSION_MILLIS + 2_500);
      signalGroup(stream.child.pid, 'SIGCONT');
      return;
    case 'join':
      startStream();
      return;
    case 'leave':
      streams.splice(place, 1);
      if (streams.length + coming.size === 0) startStream();
      await stream.child.stop(LEAVE_MILLIS);
      return;
    case 'restart broker':
      await system.restartBroker(random.below(2) === 0 ? 'killed' : 'stopped');
      return;
    case 'quiet':
      await sending.pause(SETTINGS.idleMillis + 1_500);
      return;
  }
}

/** What the warehouse knows of results that did not come, or were put aside: where rows are missing, it tells on which side. */
async function lostOnTheWay(): Promise<readonly unknown[]> {
  const { url } = await analytics;
  const tables = ['lost_windows', 'dead_letters', 'lost_records'].map((name) =>
    queryTable(url, `FROM ${name} LIMIT 20`),
  );
  return (await Promise.all(tables)).map(({ rows }) => rows);
}

async function verify(): ReturnType<StreamSystem['command']> {
  return system.command('verify', '--analytics', (await analytics).url, '--json', '--wait', '60s');
}
