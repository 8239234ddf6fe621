import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { openSiteStore } from '../../activities/shared/site-store';
import { signalGroup } from '../../cli/processes/child';
import { queryTable } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { isoOfMicros, type Micros } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { type Kafka, partitionOf, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { createTopics, deployModel, logSettings, stageModel } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';

/** A fleet whose past lies in a file. Real broker, workers as processes, the command line beside them. */
const W = 5_000_000;
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: W }),
  watermarkMicros: W,
  idleMillis: 600_000,
  // One clock can move the time by itself.
  clockQuorum: 1,
};
const START: Micros = Date.UTC(2020, 0, 1) * 1_000;
const DEVICES = ['d0', 'd1', 'd2', 'd3', 'd4', 'd5'];
const PAST = 40;
/** The partition of `d0`. */
const RESET = ['stream', 'reset-watermark', String(partitionOf('d0', 2)), '--to'] as const;

jest.setTimeout(180_000);

let system: StreamSystem;
let kafka: Kafka;
let producer: Producer;
let analytics: WorkerProcess;
let stream: WorkerProcess;

beforeAll(async () => {
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '2' });
  kafka = await system.connect();
  producer = await kafka.producer();
  await createTopics(kafka, 2);
  await logSettings(producer, SETTINGS);
  await deployModel(producer, 'v0', 0, SETTINGS.task);
  await stageModel(producer, 'v0', 'champion');
});

afterAll(async () => {
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
});

const report = z.object({
  readings: z.number(),
  used: z.number(),
  rejected: z.record(z.string(), z.object({ count: z.number() })),
  windows: z.object({
    found: z.number(),
    written: z.number(),
    known: z.number(),
    live: z.number(),
    open: z.number(),
    old: z.number(),
  }),
  partitions: z.array(z.object({ begun: z.boolean(), snapshot: z.string().nullable() })),
});

async function imported(...words: string[]): Promise<z.infer<typeof report>> {
  const { code, out: stdout, err: stderr } = await system.command('history', 'import', ...words, '--json');
  if (code !== 0) throw new Error(stderr);
  return report.parse(JSON.parse(stdout));
}

/** Two readings a window of every device, 20 and 22, in windows from `from` until before `until`, counted from the live start. */
async function writePast(name: string, from: number, until: number, target = 20): Promise<string> {
  const lines = ['device_id,timestamp,temperature,humidity,pressure'];
  for (const device of DEVICES)
    for (let window = from; window < until; window += 1)
      for (const [more, second] of [0, 2].entries())
        lines.push(
          `${device},${isoOfMicros(START + window * W + second * 1_000_000)},${target + 2 * more},50,1000`,
        );
  const path = join(system.folder, name);
  await writeFile(path, `${lines.join('\n')}\nd0,never,1,,\n`);
  return path;
}

async function sendAt(device_id: string, at: Micros): Promise<void> {
  const value = JSON.stringify({ device_id, timestamp: isoOfMicros(at), temperature: 30 });
  await producer.send(TOPICS.stream.name, [{ key: device_id, timestampMillis: at / 1_000, value }]);
}

/** One reading a device in each of the windows. */
async function send(from: number, until: number): Promise<void> {
  for (let window = from; window < until; window += 1)
    for (const device of DEVICES) await sendAt(device, START + window * W);
}

async function closedWindows(table: string): Promise<readonly { window: number; count: number }[]> {
  const { rows } = await queryTable(
    analytics.url,
    `SELECT (epoch_us(window_start) - ${START})::DOUBLE / ${W} AS "window", count(*)::INT AS count FROM ${table} GROUP BY ALL ORDER BY ALL`,
  );
  return z.array(z.object({ window: z.number(), count: z.number() })).parse(rows);
}

/** Rows of a device, in one window where one is given. */
async function rowsOf(table: string, deviceId: string, start?: Micros): Promise<number> {
  const isDevice = table === 'rejected_rows' ? `contains(raw, '"${deviceId}"')` : `device_id = '${deviceId}'`;
  const inWindow = start === undefined ? '' : ` AND epoch_us(window_start) = ${start}`;
  const sql = `SELECT count(*)::INT AS count FROM ${table} WHERE ${isDevice}${inWindow}`;
  const { rows } = await queryTable(analytics.url, sql);
  return z.array(z.object({ count: z.number() })).parse(rows)[0]?.count ?? 0;
}

async function windowsClosed(count: number): Promise<void> {
  while ((await closedWindows('stream_analysis_results')).length < count) await sleep(200);
}

async function expectVerified(): Promise<void> {
  const {
    code,
    out: stdout,
    err: stderr,
  } = await system.command('verify', '--analytics', analytics.url, '--json');
  const { differences } = z
    .object({ differences: z.object({ count: z.number(), first: z.array(z.unknown()) }) })
    .parse(JSON.parse(stdout));
  expect({ code, stderr, differences }).toMatchObject({ code: 0, differences: { count: 0, first: [] } });
}

describe('the past of a fleet from a file', () => {
  it('is counted without being written in a dry run, and written once', async () => {
    const path = await writePast('past.csv', -PAST, 0);
    const counts = {
      readings: DEVICES.length * PAST * 2 + 1,
      used: DEVICES.length * PAST * 2,
      rejected: { 'bad-timestamp': { count: 1 } },
      windows: { found: DEVICES.length * PAST, written: DEVICES.length * PAST, known: 0 },
    };
    const dry = await imported(path, '--dry-run');
    expect(dry).toMatchObject(counts);
    const first = await imported(path);
    expect(first).toMatchObject(counts);
    expect(first.partitions).toEqual(dry.partitions);
    const again = await imported(path);
    expect(again.windows).toMatchObject({ written: 0, known: DEVICES.length * PAST });
    expect(again.partitions.map(({ snapshot }) => snapshot)).toEqual([null, null]);
  });

  it('makes forecasts of the first windows possible', async () => {
    analytics = await system.startAnalytics();
    stream = await system.startWorker('stream');
    await send(0, 6);
    await windowsClosed(4);
    const evaluated = await closedWindows('model_evaluations');
    expect(evaluated.slice(0, 4)).toEqual([0, 1, 2, 3].map((window) => ({ window, count: DEVICES.length })));
  });

  it('trains where it is imported into a running fleet, and changes no row', async () => {
    const overlapping = await writePast('overlapping.csv', -PAST - 5, 8, 10);
    const { windows, partitions } = await imported(overlapping);
    expect(windows).toMatchObject({
      found: DEVICES.length * (PAST + 13),
      written: DEVICES.length * 5,
      known: DEVICES.length * PAST,
    });
    expect(windows.live).toBeGreaterThanOrEqual(DEVICES.length * 4);
    expect(windows.live + windows.open).toBe(DEVICES.length * 8);
    expect(partitions.map(({ begun }) => begun)).toEqual([true, true]);
    await expectVerified();
    const env = { ...readEnvironment(system.env), FEDLOOP_PROCESSED: join(system.folder, 'nothing') };
    const store = await openSiteStore({ env, kafka, log: silentLogger(), settings: SETTINGS });
    const { target } = store.ring.seriesUntil('d0', START + 3 * W, PAST + 9);
    await store.close();
    expect([...target]).toEqual([
      ...Array<number>(5).fill(11),
      ...Array<number>(PAST).fill(21),
      ...Array<number>(4).fill(30),
    ]);
  });
});

describe('a partition whose windows were closed by a clock far ahead', () => {
  const far = START + 100_000 * W;
  const neighbours = DEVICES.filter((device) => partitionOf(device, 2) === partitionOf('d0', 2)).length;
  /** Of windows 6 to 9 there, and of 6 and 7 in the other partition, which has closed them when they are sent again. */
  const lateEvents = 4 * neighbours + 2 * (DEVICES.length - neighbours);

  it('refuses to go back to windows that have rows', async () => {
    await sendAt('d0', far);
    await send(6, 10);
    while ((await rowsOf('rejected_rows', 'd0')) < 4) await sleep(200);
    const { code, err } = await system.command(...RESET, isoOfMicros(START), '--yes');
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('have rows') as unknown });
  });

  it('asks before it sets a watermark back', async () => {
    const { code, err } = await system.command(...RESET, isoOfMicros(START + 6 * W));
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('--yes') as unknown });
  });

  it('closes windows again behind the time that it was set back to', async () => {
    const { code, out } = await system.command(...RESET, isoOfMicros(START + 6 * W), '--yes', '--json');
    expect({ code, answer: z.object({ offset: z.number().nullable() }).parse(JSON.parse(out)) }).toEqual({
      code: 0,
      answer: { offset: expect.any(Number) as unknown },
    });
    await send(6, 14);
    while ((await rowsOf('stream_analysis_results', 'd0', START + 11 * W)) < 1) await sleep(200);
    await expectVerified();
  });

  it('has late readings that become history where no live row exists, once', async () => {
    const listed = await system.command('rejects', 'list', '--reason', 'late', '--json');
    expect(
      z.object({ counts: z.object({ late: z.number() }) }).parse(JSON.parse(listed.out)).counts.late,
    ).toBe(lateEvents);
    const replayed = async (): Promise<z.infer<typeof report>> => {
      const { code, out, err } = await system.command('rejects', 'replay', '--reason', 'late', '--json');
      if (code !== 0) throw new Error(err);
      return report.parse(JSON.parse(out));
    };
    const first = await replayed();
    expect(first).toMatchObject({ readings: lateEvents, used: lateEvents });
    // Each of their windows has a live row by now: there the same readings came once more after the reset.
    expect(first.windows).toMatchObject({ found: lateEvents, live: lateEvents, written: 0 });
    expect(await replayed()).toEqual(first);
  });

  it('goes on so under the next owner', async () => {
    signalGroup(stream.child.pid, 'SIGKILL');
    stream = await system.startWorker('stream');
    await send(14, 18);
    while ((await rowsOf('stream_analysis_results', 'd0', START + 15 * W)) < 1) await sleep(200);
    await expectVerified();
  });
});
