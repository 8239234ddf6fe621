import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { jsonReport } from '../../cli/actions/replay-output';
import { queryTable } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { ROW_LIMITS } from '../../core/contracts/limits';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { featureCount, sensorsOf, type Task, taskSchema } from '../../core/contracts/task';
import { isoOfMicros } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka, type OutgoingMessage, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { replayLines } from '../../core/stream/replay/replay';
import { openWarehouse } from '../../core/warehouse/database/open';
import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { createTopics, deployStream, logSettings } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';

/**
 * A deployment with a fourth sensor, `wind`: one element more in its task, and nothing else. Real broker, workers as
 * processes, the command line beside them.
 */
const TASK: Task = taskSchema.parse({
  ...taskWith({ windowMicros: 5_000_000 }),
  covariates: [...taskWith({}).covariates, { sensor: 'wind', unit: 'm/s' }],
});
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: TASK,
  watermarkMicros: 10_000_000,
  idleMillis: 600_000,
};
const START = Date.UTC(2020, 0, 1) * 1_000;
const STEP_MICROS = 1_000_000;
const STEPS = 40;
const DEVICES = 12;

jest.setTimeout(120_000);

let system: StreamSystem;
let kafka: Kafka;
let producer: Producer;
let analytics: WorkerProcess;
let stream: WorkerProcess;
const sent: OutgoingMessage[] = [];
/** Rows that the events lead to, by a replay. */
let expected: readonly WindRow[];

beforeAll(async () => {
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '1' });
  kafka = await system.connect();
  producer = await kafka.producer();
  const feed = await deployStream(kafka, producer, SETTINGS, {
    seed: 3,
    devices: DEVICES,
    start: START,
    stepMicros: STEP_MICROS,
    partitions: 1,
    covariates: sensorsOf(TASK).slice(1),
  });
  [analytics, stream] = await Promise.all([system.startAnalytics(), system.startWorker('stream')]);
  const end = START + 2 * STEPS * STEP_MICROS;
  sent.push(...Array.from({ length: STEPS }, () => feed.step()).flat());
  // One device alone would not be believed so far ahead.
  for (const closer of ['closer-0', 'closer-1', 'closer-2']) {
    const closing = { device_id: closer, timestamp: isoOfMicros(end), temperature: 1 };
    sent.push({ key: closer, partition: 0, timestampMillis: end / 1_000, value: JSON.stringify(closing) });
  }
  await producer.send(TOPICS.stream.name, sent);
  expected = await replayed();
  while ((await stored()).length < expected.length) await sleep(200);
});

afterAll(async () => {
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
});

const windRow = z.object({
  device_id: z.string(),
  window_start: z.string(),
  wind_avg: z.number().nullable(),
});
type WindRow = z.infer<typeof windRow>;

async function stored(): Promise<WindRow[]> {
  const { rows } = await queryTable(
    analytics.url,
    'SELECT device_id, window_start, wind_avg FROM stream_analysis_results ORDER BY window_start, device_id',
  );
  return z.array(windRow).parse(rows);
}

/** The same events through the engine alone, as `fedloop replay --json` prints them. */
async function replayed(): Promise<WindRow[]> {
  const lines: string[] = [];
  const events = sent.map(({ value, timestampMillis }) =>
    Buffer.from(withRecordTime(String(value), timestampMillis)),
  );
  await replayLines(
    (async function* () {
      await Promise.resolve();
      yield events;
    })(),
    {
      settings: SETTINGS,
      partitions: 1,
      versions: [],
      residualStddev: null,
      forecaster: () => Promise.resolve(new Float32Array()),
      flush: false,
    },
    jsonReport((text) => {
      lines.push(...text.split('\n').filter((line) => line.includes('"type":"window"')));
      return Promise.resolve();
    }, TASK),
  );
  return lines.map((line) => windRow.parse(JSON.parse(line)));
}

function withRecordTime(value: string, timestampMillis: number | undefined): string {
  return value.startsWith('{') && value.endsWith('}')
    ? value.replace('{', `{"record_timestamp":${timestampMillis ?? 0},`)
    : value;
}

describe('a fourth sensor', () => {
  it('has its mean over each window in the tables, and null where a device has no such sensor', async () => {
    const rows = await stored();
    expect(rows.length).toBeGreaterThan(5 * DEVICES);
    const measured = rows.filter(({ wind_avg }) => wind_avg !== null);
    expect(new Set(measured.map(({ device_id }) => Number(device_id.split('-')[1]) % 3))).toEqual(
      new Set([1, 2]),
    );
    for (const { wind_avg } of measured) expect(Math.abs(wind_avg! - 50)).toBeLessThan(5);
  });

  it('has the same means in a replay', async () => {
    expect(expected).toEqual(await stored());
  });

  it('is two more of the features that models forecast from', async () => {
    expect(featureCount(TASK)).toBe(31);
    const { rows } = await queryTable(analytics.url, 'SELECT count(*)::INT AS n FROM model_evaluations');
    expect(z.array(z.object({ n: z.number() })).parse(rows)[0]!.n).toBeGreaterThan(5 * DEVICES);
  });

  it('is compared by verify, which finds nothing, and then the one mean that was changed', async () => {
    const clean = await system.command('verify', '--analytics', analytics.url, '--json', '--wait', '60s');
    expect({ code: clean.code, err: clean.code === 0 ? '' : clean.err }).toEqual({ code: 0, err: '' });
    await Promise.all([analytics, stream].map(({ child }) => child.stop(10_000)));
    const warehouse = await openWarehouse(system.warehouse);
    const connection = await warehouse.connect();
    await connection.run(
      `UPDATE stream_analysis_results SET wind_avg = wind_avg + 1e-12
       WHERE rowid = (SELECT min(rowid) FROM stream_analysis_results WHERE wind_avg IS NOT NULL)`,
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
    const { differences } = JSON.parse(out) as VerificationReport;
    expect(differences.byTable).toEqual({ stream_analysis_results: { different: 1 } });
    expect(Object.keys(differences.first[0]!.columns ?? {})).toEqual(['wind_avg']);
  });
});

describe('a worker that is built for other limits than the deployment was started with', () => {
  it.each(['stream', 'analytics'] as const)('refuses with both values in one sentence (%s)', async (role) => {
    const prefix = { FEDLOOP_TOPIC_PREFIX: `other-${role}.` };
    const other = await connectKafka(
      readEnvironment({ ...system.env, ...prefix }),
      'fedloop-test',
      silentLogger(),
    );
    await createTopics(other, 1);
    const logging = await other.producer();
    const limits = { ...ROW_LIMITS, deviceIdCharacters: 64 };
    await logSettings(logging, { ...SETTINGS, limits });
    await logging.disconnect();
    await other.disconnect();
    await expect(
      system.startWorker(role, { ...prefix, FEDLOOP_WAREHOUSE: `${system.folder}/${role}.duckdb` }),
    ).rejects.toThrow(
      'this deployment was started with limits.deviceIdCharacters 64, but this process has 256',
    );
  });
});
