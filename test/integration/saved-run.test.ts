import { gunzipSync } from 'node:zlib';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { queryTable } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { isoOfMicros } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka, type OutgoingMessage, partitionOf, type Producer } from '../../core/platform/kafka';
import { openWarehouse } from '../../core/warehouse/database/open';
import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { createTopics } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';

/**
 * A run of an earlier release, as it was left: 40 devices, two rounds. `topics.jsonl.gz` holds every record of its broker,
 * `warehouse.duckdb.gz` its tables. Settings were not a task then, and the tables had none.
 */
const SAVED = join(__dirname, '..', 'support', 'saved-run');
const PARTITIONS = 4;
/** Event time of its last records: 2024-01-01T03:09. */
const END = Date.UTC(2024, 0, 1, 3, 10) * 1_000;
const WINDOW_MICROS = 30_000_000;
/** Rows in its tables. */
const ROWS = { stream_analysis_results: 681, model_evaluations: 2_200, rejected_rows: 48 };

jest.setTimeout(120_000);

const recordSchema = z.object({
  topic: z.string(),
  partition: z.int(),
  offset: z.int(),
  timestampMillis: z.number(),
  key: z.string().nullable(),
  value: z.string().nullable().optional(),
  base64: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
});
type SavedRecord = z.infer<typeof recordSchema>;

let system: StreamSystem;
let kafka: Kafka;
let producer: Producer;
let records: readonly SavedRecord[];
let analytics: WorkerProcess | undefined;

beforeAll(async () => {
  const lines = gunzipSync(await readFile(join(SAVED, 'topics.jsonl.gz')))
    .toString('utf8')
    .trim()
    .split('\n');
  records = lines.map((line) => recordSchema.parse(JSON.parse(line)));
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: String(PARTITIONS) });
  kafka = await system.connect();
  producer = await kafka.producer();
  await createTopics(kafka, PARTITIONS);
  for (const topic of new Set(records.map((record) => record.topic)))
    await producer.send(topic, records.filter((record) => record.topic === topic).map(messageOf));
});

/** Each test finds the tables as the run left them. */
beforeEach(async () => {
  await writeFile(system.warehouse, gunzipSync(await readFile(join(SAVED, 'warehouse.duckdb.gz'))));
});

afterEach(async () => {
  await analytics?.child.stop(10_000);
  analytics = undefined;
});

afterAll(async () => {
  await producer.disconnect();
  await kafka.disconnect();
  await system.stop();
});

function messageOf({
  partition,
  timestampMillis,
  key,
  value,
  base64,
  headers,
}: SavedRecord): OutgoingMessage {
  return {
    key,
    value: base64 === undefined ? (value ?? null) : Buffer.from(base64, 'base64'),
    partition,
    timestampMillis,
    ...(headers === undefined ? {} : { headers }),
  };
}

const atRest = (...words: string[]): ReturnType<StreamSystem['command']> =>
  system.commandWith({ FEDLOOP_WAREHOUSE: system.warehouse }, ...words);

/** Rows of a table, as sorted JSON; `leftOut`: columns that say who wrote a row and when. */
async function rowsOf(file: string, table: string, leftOut: string): Promise<string[]> {
  const warehouse = await openWarehouse(file);
  try {
    const connection = await warehouse.connect();
    const rows = await connection.rows(
      z.object({ line: z.string() }),
      `SELECT to_json(kept)::VARCHAR AS line FROM (SELECT * EXCLUDE (${leftOut}) FROM ${table}) AS kept ORDER BY line`,
    );
    return rows.map(({ line }) => line);
  } finally {
    await warehouse.close();
  }
}

describe('a run of an earlier release', () => {
  it('still leads to the rows that its tables hold', async () => {
    const { code, out, err } = await atRest('verify', '--json', '--wait', '0s');
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    const { compared, accounting } = JSON.parse(out) as VerificationReport;
    expect(compared).toEqual(ROWS);
    expect(accounting.reduce((sum, { read }) => sum + read, 0)).toBe(8_268);
  });

  it('has its tables read, and its models listed and exported', async () => {
    const { out } = await atRest(
      'sql',
      'SELECT model_version, stage FROM model_scoreboard ORDER BY 1',
      '--json',
    );
    expect(JSON.parse(out)).toEqual([
      { model_version: 'v0', stage: 'retired' },
      { model_version: 'v1', stage: 'shadow' },
      { model_version: 'v1-responsive', stage: 'retired' },
      { model_version: 'v2', stage: 'champion' },
      { model_version: 'v2-responsive', stage: 'retired' },
    ]);
    const listed = await atRest('models', 'list', '--json');
    expect(listed.out).toContain('"v2"');
    const file = join(system.folder, 'v2.onnx');
    const exported = await atRest('models', 'export', 'v2', '--out', file);
    expect({ code: exported.code, err: exported.err }).toMatchObject({ code: 0 });
    expect((await readFile(file)).equals(await readFile(join(SAVED, 'v2.onnx')))).toBe(true);
  });

  it('fills a new warehouse from its topics with the same rows', async () => {
    const fresh = join(system.folder, 'fresh.duckdb');
    analytics = await system.startWorker('analytics', { FEDLOOP_WAREHOUSE: fresh });
    const { url } = analytics;
    const count = async (): Promise<number> => {
      const { rows } = await queryTable(url, 'SELECT count(*)::INT AS n FROM model_evaluations');
      return z.array(z.object({ n: z.number() })).parse(rows)[0]?.n ?? 0;
    };
    while ((await count()) < ROWS.model_evaluations) await sleep(200);
    await analytics.child.stop(10_000);
    for (const [table, leftOut] of [
      ['stream_analysis_results', 'epoch'],
      ['evaluation_rows', 'epoch, evaluation_timestamp'],
      ['rejected_rows', 'rejected_at'],
      ['model_versions', 'seed'],
      ['model_stages', 'round'],
      ['local_models', 'attempt'],
    ] as const) {
      const rows = await rowsOf(fresh, table, leftOut);
      expect({ table, rows }).toEqual({ table, rows: await rowsOf(system.warehouse, table, leftOut) });
    }
  });

  it('goes on with its checkpoints, settings and tables', async () => {
    const stream = await system.startWorker('stream');
    analytics = await system.startAnalytics();
    const devices = new Set(
      records.flatMap(({ topic, key }) => (topic === TOPICS.stream.name && key !== null ? [key] : [])),
    );
    const readings = (at: number): OutgoingMessage[] =>
      [...devices].map((device) => ({
        key: device,
        partition: partitionOf(device, PARTITIONS),
        timestampMillis: at / 1_000,
        value: JSON.stringify({ device_id: device, timestamp: isoOfMicros(at), temperature: 5 }),
      }));
    for (let window = 0; window < 6; window += 1)
      await producer.send(TOPICS.stream.name, readings(END + window * WINDOW_MICROS));
    const { code, out, err } = await system.command(
      'verify',
      '--analytics',
      analytics.url,
      '--json',
      '--wait',
      '60s',
    );
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    const { compared } = JSON.parse(out) as VerificationReport;
    expect(compared.model_evaluations).toBeGreaterThan(ROWS.model_evaluations + 2 * devices.size);
    await stream.child.stop(10_000);
  });
});
