import { join } from 'node:path';
import { TOPICS } from '../../../core/contracts/topics';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { earliest } from '../../../core/warehouse/sink/marks';
import { expireRows } from '../../../core/warehouse/retention';
import { Sink } from '../../../core/warehouse/sink/sink';
import {
  analysisBlock,
  query,
  batch,
  evaluationBlock,
  frame,
  record,
  T0,
  temporaryFolder,
  WINDOW,
} from './helpers';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { modelMessage } from '../../../core/model/deployment-messages';
import { untrainedLineage, type Lineage } from '../../../core/contracts/deployments';
import { versionIdSchema } from '../../../core/contracts/ids';
import { taskWith, untrainedModel } from '../../support/task';

const folder = temporaryFolder();
let files = 0;
let warehouse: Warehouse;
let connection: SerialConnection;
let sink: Sink;

beforeEach(async () => {
  files += 1;
  warehouse = await openWarehouse(join(folder.path, `${files}.duckdb`));
  connection = await warehouse.connect();
  sink = await Sink.open(connection);
});
afterEach(async () => {
  await warehouse.close();
});
afterAll(() => {
  folder.remove();
});

const lineage: Lineage = {
  round: 1,
  parents: [versionIdSchema.parse('v0')],
  strategy: 'closed-loop',
  role: 'steady',
  network: null,
  seed: 7,
  devices: 20,
  data_from: T0 - 100 * WINDOW,
  data_until: T0,
  feedback_used: { 'left out as worse than the median': 2 },
  devices_sha256: null,
  attempt: null,
  training: null,
  adapters: false,
  anomalies: false,
};
const model = modelMessage(untrainedModel('v1'), lineage, '2020-01-01T00:00:00Z');
const MODEL_KEY = { key: 'model/v1' };
const STAGE_KEY = { key: 'stage/v1' };
const stage = (name: string, at: string) => ({
  type: 'stage',
  version: 'v1',
  stage: name,
  round: 1,
  not_before: null,
  reason: `because ${name}`,
  at,
});

describe('blocks of the stream', () => {
  it('become rows with every column of the design', async () => {
    const report = await sink.store([
      batch('analysis', 0, [record(0, analysisBlock({ window: 0 }, ['a', 'b']))]),
      batch('evaluations', 0, [
        record(
          0,
          evaluationBlock({ window: 0 }, [
            {
              version: 'v0',
              device: 'a',
              error: 0.5,
              predicted: 1,
              actual: 0,
              kind: 'spike',
              regime: 'rising',
            },
          ]),
        ),
      ]),
    ]);
    expect(report.rows).toEqual({ stream_analysis_results: 2, model_evaluations: 1, rejected_rows: 0 });
    expect(await query(connection, 'SELECT * FROM stream_analysis_results ORDER BY device_id')).toEqual([
      expect.objectContaining({
        device_id: 'a',
        window_start: T0,
        window_end: T0 + WINDOW,
        count: 12,
        avg: 20,
        is_anomaly: false,
        actual_anomaly: null,
      }),
      expect.objectContaining({
        device_id: 'b',
        is_anomaly: true,
        confidence: 2.9,
        pressure_avg: 1010,
        humidity_avg: null,
        actual_anomaly: true,
      }),
    ]);
    expect(await query(connection, 'SELECT * FROM model_evaluations')).toEqual([
      {
        model_version: 'v0',
        device_id: 'a',
        window_start: T0,
        window_end: T0 + WINDOW,
        prediction_result: 20.5,
        served_result: 20.5,
        actual_result: 20,
        error: 0.5,
        loss: 0.25,
        is_correct: true,
        served_is_correct: true,
        confidence: 0.75,
        model_accuracy: 1,
        persistence_error: 1.5,
        predicted_anomaly: true,
        anomaly_kind: 'spike',
        anomaly_score: 4.5,
        band: 2,
        band_lower: 18.5,
        band_upper: 22.5,
        actual_anomaly: false,
        regime: 'rising',
        evaluation_timestamp: 1_600_000_000_000_000,
      },
    ]);
  });

  it('keep forecasts as served beside the version’s own, also where a release before wrote none', async () => {
    await connection.run('INSERT INTO stream_settings VALUES (30000000, 0, 0, 1, 30000, NULL, NULL)');
    const { columns, ...block } = evaluationBlock({ window: 1 }, [
      { version: 'v1', device: 'a', error: 1.5 },
    ]);
    const { served_result, band, anomaly_score, anomaly_kind, ...former } = columns;
    expect([served_result, band, anomaly_score, anomaly_kind]).toEqual([[null], [null], [null], [null]]);
    await sink.store([
      batch('evaluations', 0, [
        record(
          0,
          evaluationBlock({ window: 0 }, [
            { version: 'v1', device: 'a', error: 1.5, served: 0.5 },
            { version: 'v1', device: 'b', error: 0.5, served: 1.25 },
            { version: 'v1', device: 'c', error: 0.5 },
          ]),
        ),
        record(1, { ...block, columns: former }),
      ]),
    ]);
    const rows =
      'SELECT served_result, is_correct, served_is_correct FROM model_evaluations ORDER BY window_start, device_id';
    expect(await query(connection, rows)).toEqual([
      { served_result: 20.5, is_correct: false, served_is_correct: true },
      { served_result: 21.25, is_correct: true, served_is_correct: false },
      { served_result: 20.5, is_correct: true, served_is_correct: true },
      { served_result: 21.5, is_correct: false, served_is_correct: false },
    ]);
    const scores = 'SELECT accuracy, served_accuracy, corrected_share FROM model_scoreboard';
    const scoreboard = [{ accuracy: 0.5, served_accuracy: 0.5, corrected_share: 0.5 }];
    expect(await query(connection, scores)).toEqual(scoreboard);
    await expireRows(connection, T0 + 10 * WINDOW, T0 + 10 * WINDOW);
    expect(await query(connection, scores)).toEqual(scoreboard);
  });

  it('show the accuracy of their version up to and including their window', async () => {
    const rows = (errors: readonly number[]) =>
      errors.map((error, index) => ({ version: 'v0', device: `d${index}`, error }));
    await sink.store([
      batch('evaluations', 0, [
        record(0, evaluationBlock({ window: 0 }, rows([0, 0]))),
        record(1, evaluationBlock({ window: 1 }, rows([5, 5]))),
        record(2, evaluationBlock({ window: 2 }, rows([0, 5, 5, 5]))),
      ]),
    ]);
    expect(
      await query(
        connection,
        'SELECT DISTINCT window_start, model_accuracy FROM model_evaluations ORDER BY window_start',
      ),
    ).toEqual([
      { window_start: T0, model_accuracy: 1 },
      { window_start: T0 + WINDOW, model_accuracy: 0.5 },
      { window_start: T0 + 2 * WINDOW, model_accuracy: 3 / 8 },
    ]);
  });

  it('are stored once when Kafka delivers them again, also to a sink that has just started', async () => {
    const records = [0, 1, 2].map((window) => record(window, analysisBlock({ window }, ['a', 'b', 'c'])));
    await sink.store([batch('analysis', 0, records)]);
    await sink.store([batch('analysis', 0, records)]);
    const restarted = await Sink.open(connection);
    expect(restarted.nextOffset(TOPICS.analysis.name, 0)).toBe(3);
    await restarted.store([batch('analysis', 0, records)]);
    expect(await query(connection, 'SELECT count(*) AS n FROM stream_analysis_results')).toEqual([{ n: 9 }]);
  });

  it('are stored once when a new epoch emits them again at later offsets', async () => {
    const report = await sink.store([
      batch('analysis', 0, [
        record(0, analysisBlock({ window: 0, epoch: 1 }, ['a'])),
        record(1, analysisBlock({ window: 0, epoch: 2 }, ['a'])),
        record(2, analysisBlock({ window: 1, epoch: 1 }, ['zombie'])),
        record(3, analysisBlock({ window: 1, epoch: 2 }, ['a'])),
        record(4, { type: 'fence', partition: 0, epoch: 3 }),
        record(5, analysisBlock({ window: 2, epoch: 2 }, ['zombie'])),
      ]),
    ]);
    expect(report.blocks).toEqual({ stored: 2, 'stored-before': 1, 'older-epoch': 2, gap: 0 });
    expect(
      await query(connection, 'SELECT device_id, epoch FROM stream_analysis_results ORDER BY window_start'),
    ).toEqual([
      { device_id: 'a', epoch: 1 },
      { device_id: 'a', epoch: 2 },
    ]);
  });

  it('that are not valid are counted and skipped', async () => {
    const ragged = analysisBlock({ window: 0 }, ['a', 'b']);
    ragged.columns.avg.pop();
    const report = await sink.store([
      batch('analysis', 0, [
        record(0, Buffer.from('{')),
        record(1, { type: 'analysis' }),
        record(2, ragged),
        record(3, analysisBlock({ window: 0, partition: 3 }, ['a'])),
        record(4, analysisBlock({ window: 0 }, ['a'])),
      ]),
    ]);
    expect(report.aside.counts).toEqual({ invalid: 4 });
    expect(report.rows.stream_analysis_results).toBe(1);
  });

  it('leave nothing behind when the transaction fails, and go in when it is tried again', async () => {
    await sink.store([batch('analysis', 0, [record(0, analysisBlock({ window: 0 }, ['a']))])]);
    const both = [
      batch('analysis', 0, [record(1, analysisBlock({ window: 1 }, ['b']))]),
      batch('rejects', 0, [
        record(0, Buffer.from('x'), {
          headers: { reason: 'late', 'source-partition': '0', 'source-offset': '1' },
        }),
      ]),
    ];
    await connection.run('DROP TABLE rejected_rows');
    await expect(sink.store(both)).rejects.toMatchObject({ code: 'WarehouseFailed' });
    expect(await query(connection, 'SELECT count(*) AS n FROM stream_analysis_results')).toEqual([{ n: 1 }]);
    expect(sink.nextOffset(TOPICS.analysis.name, 0)).toBe(1);
    await connection.run(
      'CREATE TABLE rejected_rows (source VARCHAR, reason VARCHAR, detail VARCHAR, source_partition INTEGER, source_offset BIGINT, file VARCHAR, line BIGINT, raw VARCHAR, rejected_at TIMESTAMP)',
    );
    await sink.store(both);
    expect(
      await query(connection, 'SELECT device_id FROM stream_analysis_results ORDER BY window_start'),
    ).toEqual([{ device_id: 'a' }, { device_id: 'b' }]);
  });

  it('fill large batches chunk by chunk', async () => {
    const devices = Array.from({ length: 5000 }, (_, index) => `device-${index}`);
    await sink.store([batch('analysis', 0, [record(0, analysisBlock({ window: 0 }, devices))])]);
    expect(
      await query(
        connection,
        'SELECT count(DISTINCT device_id) AS n, sum(avg) AS total FROM stream_analysis_results',
      ),
    ).toEqual([{ n: 5000, total: 5000 * 20 + (4999 * 5000) / 2 }]);
  });
});

describe('complete windows', () => {
  const completeBefore = (expected?: readonly number[]): number =>
    earliest([...sink.evaluationBounds(expected).values()]);

  it('wait for every partition and both topics', async () => {
    await sink.store([
      batch('analysis', 0, [
        record(0, analysisBlock({ window: 0 }, ['a'])),
        record(1, analysisBlock({ window: 1 }, ['a'])),
      ]),
      batch('evaluations', 0, [
        record(0, evaluationBlock({ window: 0 }, [])),
        record(1, evaluationBlock({ window: 1 }, [])),
      ]),
      batch('analysis', 1, [record(0, analysisBlock({ window: 0, partition: 1 }, ['b']))]),
    ]);
    expect(completeBefore()).toBe(Number.NEGATIVE_INFINITY);
    await sink.store([
      batch('evaluations', 1, [record(0, evaluationBlock({ window: 0, partition: 1, last: false }, []))]),
    ]);
    expect(completeBefore()).toBe(T0);
    await sink.store([
      batch('evaluations', 1, [record(1, evaluationBlock({ window: 0, partition: 1, ordinal: 1 }, []))]),
    ]);
    expect(completeBefore()).toBe(T0 + 1);
    expect(completeBefore([2])).toBe(Number.NEGATIVE_INFINITY);
  });

  it('do not wait for a partition that has nothing but an owner’s fence: a small fleet may leave it empty for ever', async () => {
    await sink.store([
      batch('analysis', 0, [record(0, analysisBlock({ window: 0 }, ['a']))]),
      batch('evaluations', 0, [record(0, evaluationBlock({ window: 0 }, []))]),
      batch('analysis', 1, [record(0, { type: 'fence', partition: 1, epoch: 0 })]),
      batch('evaluations', 1, [record(0, { type: 'fence', partition: 1, epoch: 0 })]),
    ]);
    expect(completeBefore()).toBe(T0 + 1);
    expect(completeBefore([1])).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('other topics', () => {
  it('keep rejected events once, with the reason and the first bytes of any content', async () => {
    const headers = { reason: 'malformed', 'source-partition': '2', 'source-offset': '17', detail: 'no id' };
    const raw = Buffer.concat([Buffer.from([0xff, 0x00]), Buffer.alloc(5000, 'x')]);
    await sink.store([batch('rejects', 2, [record(0, raw, { headers }), record(1, raw, { headers })])]);
    await sink.store([batch('rejects', 2, [record(2, raw, { headers })])]);
    const rows = await query(connection, 'SELECT * FROM rejected_rows');
    expect(rows).toEqual([
      expect.objectContaining({
        source: 'stream',
        reason: 'malformed',
        detail: 'no id',
        source_partition: 2,
        source_offset: 17,
      }),
    ]);
    expect(String(rows[0]!['raw']).length).toBeLessThanOrEqual(1000);
    // Of a stream that was made anew.
    await sink.store([batch('rejects', 2, [record(3, Buffer.from('{}'), { headers })])]);
    expect(await query(connection, 'SELECT count(*)::INT AS n FROM rejected_rows')).toEqual([{ n: 2 }]);
  });

  it.each([
    ['the event was recorded', '1577836800000', '2020-01-01 00:00:00'],
    [
      'its reject was, where no table holds the time of the event',
      '9223372036854775807',
      '2026-01-01 00:00:00',
    ],
    ['its reject was, where that of the event is none', 'soon', '2026-01-01 00:00:00'],
    ['its reject was, as earlier releases stamp it', undefined, '2026-01-01 00:00:00'],
  ])('keep with a rejected event when %s', async (_, time, stored) => {
    const headers = {
      ...{ reason: 'late', 'source-partition': '0', 'source-offset': '7' },
      ...(time !== undefined && { 'source-timestamp': time }),
    };
    const timestampMillis = Date.UTC(2026, 0);
    const written = { ...record(0, Buffer.from('x'), { headers }), timestampMillis };
    await sink.store([batch('rejects', 0, [written])]);
    expect(await query(connection, 'SELECT rejected_at::VARCHAR AS at FROM rejected_rows')).toEqual([
      { at: stored },
    ]);
  });

  it('keep no rejects of a worker that had lost the partition', async () => {
    const reject = (offset: number, reason: string, epoch: number) =>
      record(offset, Buffer.from('x'), {
        headers: { reason, 'source-partition': '0', 'source-offset': '7', epoch: String(epoch) },
      });
    await sink.store([
      batch('rejects', 0, [
        record(0, Buffer.from('{}'), { headers: { fence: '5' } }),
        reject(1, 'duplicate', 3),
        reject(2, 'late', 5),
      ]),
    ]);
    expect(await query(connection, 'SELECT reason FROM rejected_rows')).toEqual([{ reason: 'late' }]);
    const restarted = await Sink.open(connection);
    await restarted.store([batch('rejects', 0, [{ ...reject(3, 'late', 4), key: null }])]);
    expect(await query(connection, 'SELECT count(*) AS n FROM rejected_rows')).toEqual([{ n: 1 }]);
  });

  it('put a reject without an epoch aside once a fence has stood before it', async () => {
    const reject = (offset: number, place: number) =>
      record(offset, Buffer.from('x'), {
        headers: { reason: 'late', 'source-partition': '0', 'source-offset': String(place) },
      });
    const report = await sink.store([
      batch('rejects', 0, [
        reject(0, 7),
        record(1, Buffer.from('{}'), { headers: { fence: '5' } }),
        reject(2, 8),
      ]),
    ]);
    expect(report.records).toEqual({ [TOPICS.rejects.name]: { used: 2, aside: 1 } });
    expect(await query(connection, 'SELECT source_offset FROM rejected_rows')).toEqual([
      { source_offset: 7 },
    ]);
    const restarted = await Sink.open(connection);
    await restarted.store([batch('rejects', 0, [reject(3, 9)])]);
    expect(await query(connection, 'SELECT source_offset AS o, reason FROM dead_letters')).toEqual([
      { o: 2, reason: 'unknown-epoch' },
      { o: 3, reason: 'unknown-epoch' },
    ]);
  });

  it('keep messages that could not be mapped once, by what they were and their place in the source', async () => {
    const headers = (path: string): Record<string, string> => ({
      reason: 'bad-temperature',
      path,
      detail: '"x" is no reading',
      'source-topic': 'plant.telemetry',
      'source-partition': '3',
      'source-offset': '17',
      size: '9',
    });
    const at = (offset: number, path: string, value = '[{"t":"x"}]') => ({
      ...record(offset, Buffer.from(value), { headers: headers(path) }),
      timestampMillis: 0,
    });
    await sink.store([batch('ingestRejects', 0, [at(0, '/0/t'), at(1, '/1/t'), at(2, '/0/t')])]);
    await sink.store([batch('ingestRejects', 0, [at(3, '/0/t')])]);
    const rows = await query(connection, 'SELECT * FROM rejected_rows ORDER BY detail');
    expect(rows).toEqual([
      expect.objectContaining({
        source: 'ingest',
        reason: 'bad-temperature',
        detail: '/0/t: "x" is no reading',
        file: 'plant.telemetry/3',
        line: 17,
        source_partition: null,
        raw: '[{"t":"x"}]',
      }),
      expect.objectContaining({ detail: '/1/t: "x" is no reading' }),
    ]);
    // Of a topic that was made anew: other messages, or the same ones sent later.
    await sink.store([batch('ingestRejects', 0, [at(4, '/0/t', '[{"t":"y"}]')])]);
    await sink.store([batch('ingestRejects', 0, [{ ...at(5, '/0/t'), timestampMillis: 1 }])]);
    // Whose time ingest has chosen, each time that it has read it.
    const restamped = (millis: number) => ({
      ...at(6 + millis, '/0/t', '[{"t":"z"}]'),
      headers: { ...headers('/0/t'), restamped: 'true' },
      timestampMillis: millis,
    });
    await sink.store([batch('ingestRejects', 0, [restamped(0), restamped(1)])]);
    await sink.store([batch('ingestRejects', 0, [restamped(2)])]);
    const counted = `SELECT count(*)::INT AS n FROM rejected_rows WHERE detail LIKE '/0/t%'`;
    expect(await query(connection, counted)).toEqual([{ n: 4 }]);
  });

  it('keep versions with their file, and every change of stage', async () => {
    await sink.store([
      batch('deployments', 0, [
        record(
          0,
          {
            type: 'settings',
            settings: {
              ...DEFAULT_STREAM_SETTINGS,
              task: taskWith({ tolerance: 2 }),
              watermarkMicros: 1,
              futureMicros: 1,
              idleMillis: 1,
            },
          },
          { key: 'settings' },
        ),
        record(1, stage('candidate', '2020-01-01T00:00:01Z'), STAGE_KEY),
        record(2, model, MODEL_KEY),
        record(3, stage('champion', '2020-01-01T00:00:02Z'), STAGE_KEY),
        record(4, model, MODEL_KEY),
        record(5, { type: 'unknown' }),
      ]),
    ]);
    await sink.store([
      batch('deployments', 0, [
        record(6, model, MODEL_KEY),
        record(7, stage('shadow', '2020-01-01T00:00:03Z'), STAGE_KEY),
      ]),
    ]);
    expect(
      await query(
        connection,
        'SELECT model_version, round, role, parents, devices, stage, data_until FROM model_versions',
      ),
    ).toEqual([
      {
        model_version: 'v1',
        round: 1,
        role: 'steady',
        parents: ['v0'],
        devices: 20,
        stage: 'shadow',
        data_until: T0,
      },
    ]);
    expect(await query(connection, 'SELECT stage FROM model_stages ORDER BY log_offset')).toEqual([
      { stage: 'candidate' },
      { stage: 'champion' },
      { stage: 'shadow' },
    ]);
    // The service stores the settings that it was started with; a message that comes later changes nothing.
    expect(await query(connection, 'SELECT tolerance FROM stream_settings')).toEqual([]);
    expect(await query(connection, 'SELECT sha256(onnx) = sha256 AS whole FROM model_files')).toEqual([
      { whole: true },
    ]);
  });

  it('have one champion, the one that was logged last, also when its model comes later', async () => {
    const other = { ...STAGE_KEY, key: 'stage/v2' };
    const stagesNow = (): Promise<unknown> =>
      query(connection, 'SELECT model_version, stage FROM model_versions ORDER BY model_version');
    await sink.store([
      batch('deployments', 0, [
        record(0, model, MODEL_KEY),
        record(1, stage('champion', '2020-01-01T00:00:01Z'), STAGE_KEY),
        record(2, { ...stage('champion', '2020-01-01T00:00:02Z'), version: 'v2' }, other),
      ]),
    ]);
    expect(await stagesNow()).toEqual([
      { model_version: 'v1', stage: 'champion' },
      { model_version: 'v2', stage: 'shadow' },
    ]);
    const second = modelMessage(untrainedModel('v2'), untrainedLineage(2), '2020-01-01T00:00:00Z');
    await sink.store([batch('deployments', 0, [record(3, second, { key: 'model/v2' })])]);
    expect(await stagesNow()).toEqual([
      { model_version: 'v1', stage: 'shadow' },
      { model_version: 'v2', stage: 'champion' },
    ]);
    await sink.store([
      batch('deployments', 0, [
        record(4, { ...stage('rolled-back', '2020-01-01T00:00:03Z'), version: 'v2' }, other),
      ]),
    ]);
    expect(await stagesNow()).toEqual([
      { model_version: 'v1', stage: 'champion' },
      { model_version: 'v2', stage: 'rolled-back' },
    ]);
  });

  it('take stages from a log that is another one by now, whose offsets name other messages', async () => {
    await sink.store([
      batch('deployments', 0, [
        record(0, model, MODEL_KEY),
        record(1, stage('candidate', '2020-01-01T00:00:01Z'), STAGE_KEY),
        record(2, stage('champion', '2020-01-01T00:00:02Z'), STAGE_KEY),
        record(3, stage('champion', '2020-01-01T00:00:03Z'), { key: 'stage/v2' }),
      ]),
    ]);
    await sink.beginAnew('model-deployments', 0);
    await sink.store([
      batch('deployments', 0, [
        record(0, model, MODEL_KEY),
        record(1, stage('candidate', '2020-01-01T00:00:01Z'), STAGE_KEY),
        record(2, stage('shadow', '2020-01-01T00:00:05Z'), STAGE_KEY),
      ]),
    ]);
    expect(await query(connection, 'SELECT stage FROM model_stages ORDER BY log_offset')).toEqual([
      { stage: 'candidate' },
      { stage: 'shadow' },
    ]);
    expect(await query(connection, 'SELECT model_version, stage, stage_reason FROM model_versions')).toEqual([
      { model_version: 'v1', stage: 'shadow', stage_reason: 'because shadow' },
    ]);
  });

  it('store what local models report beside what came of them, and no weights', async () => {
    const update = {
      type: 'update',
      round: 1,
      attempt: 'run',
      site: 'main',
      chunk: 0,
      base_version: 'v0',
      parameters: 3,
      devices: [
        { device_id: 'a', rows: 300, self_reported_accuracy: 0.9, self_reported_loss: 0.1, base_loss: 0.2 },
        { device_id: 'b', rows: 200, self_reported_accuracy: 0.99, self_reported_loss: 0.01, base_loss: 0.3 },
      ],
      left_out: [{ device_id: 'c', reason: 'too-few-rows' }],
    };
    const outcome = {
      type: 'outcome',
      round: 1,
      attempt: 'run',
      version: 'v1',
      device_id: ['a', 'b', 'd'],
      site: ['main', 'main', 'main'],
      rows: [300, 200, 100],
      self_reported_accuracy: [0.9, 0.99, null],
      real_accuracy: [0.8, 0.4, null],
      weight: [1, 0, 0],
      left_out: [null, 'worse-than-median', 'not-selected'],
    };
    await sink.store([
      batch('updates', 0, [
        record(0, frame(update), { key: 'update/1/main/0' }),
        record(1, frame(update), { key: 'update/1/main/0' }),
        record(2, { type: 'score', anything: true }, { key: 'score/1/main' }),
        record(3, frame({ type: 'candidate' }), { key: 'candidate/1/steady' }),
        record(4, outcome, { key: 'outcome/1' }),
        record(5, Buffer.from('nonsense'), { key: 'update/1/main/1' }),
      ]),
    ]);
    expect(
      await query(
        connection,
        'SELECT device_id, model_version, training_rows, self_reported_accuracy, real_accuracy, weight, left_out FROM local_models ORDER BY device_id',
      ),
    ).toEqual([
      {
        device_id: 'a',
        model_version: 'v1',
        training_rows: 300,
        self_reported_accuracy: 0.9,
        real_accuracy: 0.8,
        weight: 1,
        left_out: null,
      },
      {
        device_id: 'b',
        model_version: 'v1',
        training_rows: 200,
        self_reported_accuracy: 0.99,
        real_accuracy: 0.4,
        weight: 0,
        left_out: 'worse-than-median',
      },
      {
        device_id: 'c',
        model_version: null,
        training_rows: null,
        self_reported_accuracy: null,
        real_accuracy: null,
        weight: null,
        left_out: 'too-few-rows',
      },
      {
        device_id: 'd',
        model_version: 'v1',
        training_rows: 100,
        self_reported_accuracy: null,
        real_accuracy: null,
        weight: 0,
        left_out: 'not-selected',
      },
    ]);
  });

  it('keep from which window on each partition evaluates a version; who lost the partition has no say', async () => {
    const activation = (epoch: number, from_window: number | null) => ({
      type: 'activation',
      partition: 0,
      epoch,
      version: 'v1',
      from_window,
      residual_stddev: null,
    });
    const until = (epoch: number, until_window: number) => ({
      type: 'deactivation',
      partition: 0,
      epoch,
      version: 'v1',
      until_window,
    });
    const claim = { type: 'claim', partition: 0, worker: 'w' };
    await sink.store([
      batch('checkpoints', 0, [
        record(3, claim, { key: 'claim/0/w/1' }),
        record(4, activation(3, null), { key: 'activation/0/v1/3' }),
        record(5, claim, { key: 'claim/0/w/2' }),
        record(6, activation(5, T0), { key: 'activation/0/v1/5' }),
        record(7, activation(3, T0 - WINDOW), { key: 'activation/0/v1/3' }),
        record(8, until(3, T0 + WINDOW), { key: 'deactivation/0/v1/3' }),
        record(9, { type: 'checkpoint', nothing: 'of ours' }, { key: 'checkpoint/0/5/0/0' }),
      ]),
    ]);
    const row = { model_version: 'v1', source_partition: 0, epoch: 5, from_window: T0 };
    expect(await query(connection, 'SELECT * FROM stream_activations')).toEqual([
      { ...row, until_window: null },
    ]);
    await sink.store([
      batch('checkpoints', 0, [record(10, until(5, T0 + 2 * WINDOW), { key: 'deactivation/0/v1/5' })]),
    ]);
    expect(await query(connection, 'SELECT * FROM stream_activations')).toEqual([
      { ...row, until_window: T0 + 2 * WINDOW },
    ]);
  });
});
