import { z } from 'zod';
import { type RejectReason } from '../../../core/contracts/blocks';
import { type MalformedDetail } from '../../../core/contracts/events';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { expireRows } from '../../../core/warehouse/retention';
import { Sink } from '../../../core/warehouse/sink/sink';
import { answerSql } from '../../../core/warehouse/sql/answer';
import { type Query } from '../../../core/warehouse/database/query';
import { storedBounds } from '../../../core/warehouse/verify/stored-rows';
import {
  Verification,
  type VerificationReport,
  type WindowRows,
} from '../../../core/warehouse/verify/verification';
import { lostRounds, lostRoundsSentence } from '../../../core/warehouse/verify/lost-rounds';
import { splitDevicesSentence } from '../../../core/warehouse/verify/split-devices';
import { addFinishedDays } from '../../../core/warehouse/batch/stream-days';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { agreeOnSettings, analysisBlock, batch, evaluationBlock, record, T0, WINDOW } from './helpers';

let warehouse: Warehouse;
let connection: SerialConnection;
let query: Query;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  await agreeOnSettings(connection);
  const querying = await warehouse.connect();
  // As the analytics worker's route answers: through JSON.
  query = async (row, sql) => {
    const answer = z.object({ rows: z.array(z.unknown()) }).parse(JSON.parse(await answerSql(querying, sql)));
    return z.array(row).parse(answer.rows);
  };
});
afterEach(async () => {
  await warehouse.close();
});

const VERSION = 'v0';
const DEVICES = ['a', 'b'];

/** Window `n` of partition 0 as the log leads to it. */
function windowOf(n: number): WindowRows {
  const analysis = analysisBlock({ window: n }, DEVICES);
  const evaluations = evaluationBlock(
    { window: n },
    DEVICES.map((device) => ({ version: VERSION, device, error: 0.5 })),
  );
  return {
    partition: 0,
    start: T0 + n * WINDOW,
    end: T0 + (n + 1) * WINDOW,
    analysis: analysis.columns,
    evaluations: evaluations.columns,
  };
}

/** Store windows 0 … count − 1 and one reject, as the sink does. */
async function store(count: number): Promise<void> {
  const sink = await Sink.open(connection);
  const windows = Array.from({ length: count }, (_, n) => n);
  await sink.store([
    batch(
      'analysis',
      0,
      windows.map((n) => record(n, analysisBlock({ window: n }, DEVICES))),
    ),
    batch(
      'evaluations',
      0,
      windows.map((n) =>
        record(
          n,
          evaluationBlock(
            { window: n },
            DEVICES.map((device) => ({ version: VERSION, device, error: 0.5 })),
          ),
        ),
      ),
    ),
    batch('rejects', 0, [
      record(0, Buffer.from('junk'), {
        headers: { reason: 'malformed', detail: 'not-json', 'source-partition': '0', 'source-offset': '3' },
      }),
    ]),
  ]);
}

async function verify(
  windows: number,
  must: 'stored' | 'all' = 'all',
  rejects: readonly (readonly [number, RejectReason, MalformedDetail?])[] = [[3, 'malformed']],
  asideOffsets: readonly number[] = [],
): Promise<VerificationReport> {
  const bounds = await storedBounds(query, WINDOW);
  const verification = new Verification(
    query,
    must === 'all' ? undefined : bounds,
    bounds.expiredBefore,
    10,
    DEFAULT_STREAM_SETTINGS.task,
  );
  let readings = 0;
  for (let n = 0; n < windows; n += 1) {
    const window = windowOf(n);
    readings += window.analysis.count.reduce((sum, count) => sum + count, 0);
    await verification.window(window);
  }
  for (const [offset, reason, detail = 'not-json'] of rejects)
    await verification.reject(0, offset, reason, detail, Buffer.from('junk'));
  const read = readings + rejects.length + 5 + asideOffsets.length;
  const counts = {
    read,
    windowed: readings + 5,
    late: 0,
    duplicate: 0,
    future: 0,
    malformed: rejects.length,
  };
  return verification.finish([
    { partition: 0, counts, openReadings: 5, aside: asideOffsets.length, asideOffsets, next: read },
  ]);
}

describe('verification', () => {
  it('finds no difference in what the sink stored, and the events add up', async () => {
    await store(3);
    const report = await verify(3);
    expect(report.differences).toEqual({ count: 0, byTable: {}, first: [] });
    expect(report.compared).toEqual({ stream_analysis_results: 6, model_evaluations: 6, rejected_rows: 1 });
    expect(report.accounting).toMatchObject([{ partition: 0, addsUp: true, rejected: { malformed: 1 } }]);
  });

  it('names devices with rows of two partitions, although each row is what the log leads to', async () => {
    const sink = await Sink.open(connection);
    await sink.store(
      [0, 1].map((partition) =>
        batch('analysis', partition, [
          record(0, analysisBlock({ window: 1, partition }, partition === 0 ? ['a', 'b'] : ['b', 'c'])),
        ]),
      ),
    );
    const verification = new Verification(query, undefined, -Infinity, 10, DEFAULT_STREAM_SETTINGS.task);
    for (const partition of [0, 1]) {
      const devices = partition === 0 ? ['a', 'b'] : ['b', 'c'];
      const { columns } = analysisBlock({ window: 1, partition }, devices);
      const evaluations = evaluationBlock({ window: 1, partition }, []).columns;
      const start = T0 + WINDOW;
      await verification.window({ partition, start, end: start + WINDOW, analysis: columns, evaluations });
    }
    const report = await verification.finish([]);
    expect(report.differences.count).toBe(0);
    expect(report.splitDevices).toEqual([{ device: 'b', partitions: [0, 1] }]);
    expect(splitDevicesSentence(report.splitDevices.map(({ device }) => device))).toBe(
      '1 device sends to more than one partition (key the topic by device): b',
    );
    const row = z.object({ device_id: z.string(), partitions: z.array(z.number()), readings: z.number() });
    const named = await query(
      row,
      'SELECT device_id, partitions, readings::INTEGER AS readings FROM split_devices',
    );
    expect(named).toEqual([{ device_id: 'b', partitions: [0, 1], readings: 24 }]);
  });

  it('names each row that differs, with the columns', async () => {
    await store(2);
    await connection.run("UPDATE evaluation_rows SET confidence = 0.25 WHERE device_id = 'b'");
    await connection.run("UPDATE stream_analysis_results SET actual_anomaly = true WHERE device_id = 'a'");
    const { differences } = await verify(2);
    expect(differences.byTable).toEqual({
      stream_analysis_results: { different: 2 },
      model_evaluations: { different: 2 },
    });
    const told = differences.first.find(({ table }) => table === 'model_evaluations');
    expect(told).toMatchObject({
      kind: 'different',
      partition: 0,
      row: { window_start: T0, model_version: VERSION, device_id: 'b' },
    });
    expect(Object.keys(told?.columns ?? {})).toEqual(['confidence']);
    expect(told?.columns?.['confidence']?.stored).toBe(0.25);
  });

  it('takes the detail of a former release for the one of today', async () => {
    await store(1);
    await connection.run("UPDATE rejected_rows SET detail = 'missing-value'");
    const detailOf = async (expected: MalformedDetail): Promise<VerificationReport['differences']> =>
      (await verify(1, 'all', [[3, 'malformed', expected]])).differences;
    expect((await detailOf('sentinel-value')).count).toBe(0);
    expect((await detailOf('out-of-range')).count).toBe(1);
  });

  it('distinguishes missing rows from unexpected and repeated ones', async () => {
    await store(2);
    await connection.run("DELETE FROM stream_analysis_results WHERE device_id = 'a'");
    await connection.run("INSERT INTO evaluation_rows SELECT * FROM evaluation_rows WHERE device_id = 'a'");
    await connection.run("UPDATE rejected_rows SET source_offset = 4 WHERE source = 'stream'");
    const { differences, accounting } = await verify(2);
    expect(differences.byTable).toEqual({
      stream_analysis_results: { missing: 2 },
      model_evaluations: { repeated: 2 },
      rejected_rows: { missing: 1, unexpected: 1 },
    });
    expect(accounting.map(({ addsUp }) => addsUp)).toEqual([false]);
  });

  it('takes the reject of an event that was aside for one that was decided since, and counts it once', async () => {
    await store(3);
    const report = await verify(3, 'stored', [], [3]);
    expect(report.differences.count).toBe(0);
    expect(report.accounting).toMatchObject([{ addsUp: true, aside: 1, rejected: { malformed: 0 } }]);
  });

  it('finds rejects behind the last one that there should be', async () => {
    await store(1);
    await connection.run('UPDATE rejected_rows SET source_offset = 7');
    expect((await verify(1, 'all', [])).differences.byTable).toEqual({ rejected_rows: { unexpected: 1 } });
    expect((await verify(1, 'stored', [])).differences.byTable).toEqual({ rejected_rows: { unexpected: 1 } });
  });

  it('passes over rows that are on their way, unless all must be there', async () => {
    await store(2);
    const report = await verify(4, 'stored', [
      [3, 'malformed'],
      [9, 'late'],
    ]);
    expect(report.differences.count).toBe(0);
    expect(report.onTheirWay).toBe(2 * DEVICES.length * 2 + 1);
    expect(report.accounting[0]).toMatchObject({ addsUp: true });
    const late = await verify(4);
    expect(late.differences.byTable).toEqual({
      stream_analysis_results: { missing: 4 },
      model_evaluations: { missing: 4 },
    });
  });

  it('says which rows are past their retention instead of missing them', async () => {
    const day = 86_400_000_000 / WINDOW;
    await store(2);
    const sink = await Sink.open(connection);
    await sink.store([batch('analysis', 0, [record(2, analysisBlock({ window: day }, DEVICES))])]);
    await addFinishedDays(connection, T0 + 86_400_000_000);
    await expireRows(connection, T0 + WINDOW, -Infinity);
    await expireRows(connection, T0 + 2 * WINDOW, -Infinity);
    const report = await verify(2);
    expect(report.differences.count).toBe(0);
    expect(report.expired).toEqual({ rows: 8, before: T0 + 2 * WINDOW });
    expect(report.accounting).toMatchObject([{ addsUp: true, inStoredWindows: 0 }]);
  });
});

describe('a round that promoted a version', () => {
  /** Rounds 1 to 3 made versions; those that are named have a record. */
  async function deployed(recorded: readonly number[]): Promise<void> {
    for (const round of [1, 2, 3])
      await connection.run(
        `INSERT INTO model_versions (model_version, round) VALUES ('v${round}', ${round});
         INSERT INTO model_stages BY NAME SELECT ${round} AS log_offset, 'v${round}' AS model_version, 'champion' AS stage, ${round} AS round,
           'better' AS reason, now()::TIMESTAMP AS staged_at`,
      );
    for (const round of recorded)
      await connection.run(
        `INSERT INTO federated_rounds BY NAME SELECT ${round} AS round, 'v${round}' AS model_version, 'v0' AS champion, 'promoted' AS decision,
           'better' AS reason, 'closed-loop' AS strategy, 1 AS windows, TIMESTAMP '2020-01-01' AS window_from, TIMESTAMP '2020-01-01' AS window_until,
           1 AS evaluations, 1 AS accuracy, 1 AS accuracy_low, 1 AS accuracy_high, 1 AS champion_accuracy, 1 AS persistence_accuracy,
           0 AS paired_change, 0 AS paired_change_low, 0 AS paired_change_high, 1 AS updates_trained,
           1 AS updates_used, '{}' AS feedback_used, '{}' AS result`,
      );
  }

  it('is named where its record is gone', async () => {
    await deployed([1]);
    const lost = await lostRounds(query);
    expect(lost).toEqual([{ round: 2, version: 'v2' }]);
    expect(lostRoundsSentence(lost)).toBe(
      'federated_rounds has no record of round 2 (promoted v2): terminated while deciding, or lost with a warehouse file',
    );
  });

  it('is not named where its record is there, nor while it may be about to be written', async () => {
    await deployed([1, 2]);
    expect(lostRoundsSentence(await lostRounds(query))).toBeUndefined();
    await connection.run('UPDATE model_stages SET staged_at = staged_at - INTERVAL 1 HOUR');
    expect(await lostRounds(query)).toEqual([{ round: 3, version: 'v3' }]);
  });
});
