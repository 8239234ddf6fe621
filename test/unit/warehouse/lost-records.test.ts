import { join } from 'node:path';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { TOPICS } from '../../../core/contracts/topics';
import { lossMessage } from '../../../core/ingest/loss-message';
import { type ExpiredRecords } from '../../../core/platform/kafka/log-gap';
import { silentLogger } from '../../../core/platform/log';
import { createMetrics } from '../../../core/platform/metrics';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { registerWarehouseMetrics } from '../../../core/warehouse/metrics';
import { Intake } from '../../../core/warehouse/sink/intake';
import { type Origins, TRUSTED } from '../../../core/warehouse/sink/origins';
import { type SinkReport } from '../../../core/warehouse/sink/report';
import { Sink } from '../../../core/warehouse/sink/sink';
import { FakeKafka } from './fake-kafka';
import { analysisBlock, batch, query, record, T0, temporaryFolder, WINDOW } from './helpers';

const folder = temporaryFolder();
const TOPIC = TOPICS.analysis.name;
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

const block = (window: number) => record(window, analysisBlock({ window }, ['a']));
const place = { topic: TOPIC, partition: 0 };
const lostRecords = () =>
  query(
    connection,
    'SELECT topic, source_partition AS p, from_offset AS a, until_offset AS z FROM lost_records ORDER BY a',
  );

it('a broker that does not answer the sink’s questions ends no worker, however often it is asked', async () => {
  let isAway = true;
  const asked: Origins = {
    ...TRUSTED,
    prepare: () => (isAway ? Promise.reject(new Error('Closed connection')) : Promise.resolve()),
  };
  const kafka = new FakeKafka(1);
  kafka.append(TOPIC, 0, analysisBlock({ window: 0 }, ['a']));
  const intake = await Intake.start({
    kafka: kafka.asKafka(),
    sink: await Sink.open(connection, DEFAULT_TASK, asked),
    groupId: 'group',
    log: silentLogger(),
    file: warehouse.path,
    onStored: () => undefined,
  });
  let isEnded = false;
  intake.failed.catch(() => {
    isEnded = true;
  });
  for (let time = 0; time < 12; time += 1) await expect(kafka.deliver()).rejects.toThrow('Closed connection');
  expect(isEnded).toBe(false);
  isAway = false;
  await kafka.deliver();
  await intake.stop();
  expect(await query(connection, 'SELECT count(*)::INT AS n FROM stream_analysis_results')).toEqual([
    { n: 1 },
  ]);
});

describe('the sink', () => {
  it('keeps which records were gone before a batch, beside the rows behind them', async () => {
    await sink.store([{ ...place, records: [block(0)], begins: 0, ends: 1 }]);
    const report = await sink.store([{ ...place, records: [block(5)], begins: 5, ends: 6 }]);
    expect(report.lost).toEqual([{ ...place, from: 1, until: 5 }]);
    expect(report.records).toEqual({ [TOPIC]: { used: 1, aside: 0 } });
    expect(await lostRecords()).toEqual([{ topic: TOPIC, p: 0, a: 1, z: 5 }]);
    expect((await Sink.open(connection)).nextOffset(TOPIC, 0)).toBe(6);
  });

  it('keeps them once, however often they are noticed', async () => {
    for (let time = 0; time < 2; time += 1) await sink.store([{ ...place, records: [], begins: 5 }]);
    const restarted = await Sink.open(connection);
    await restarted.store([{ ...place, records: [block(5)], begins: 5, ends: 6 }]);
    expect(await lostRecords()).toEqual([{ topic: TOPIC, p: 0, a: 0, z: 5 }]);
  });

  it('loses nothing that the same transaction stores before', async () => {
    await sink.store([
      { ...place, records: [block(0), block(1)] },
      { ...place, records: [block(4)], begins: 4 },
    ]);
    expect(await lostRecords()).toEqual([{ topic: TOPIC, p: 0, a: 2, z: 4 }]);
    expect(await query(connection, 'SELECT count(*)::INTEGER AS n FROM stream_analysis_results')).toEqual([
      { n: 3 },
    ]);
  });

  it('neither keeps the gap nor moves the mark where the transaction fails', async () => {
    await connection.run('ALTER TABLE lost_records RENAME TO elsewhere');
    await expect(sink.store([{ ...place, records: [], begins: 5 }])).rejects.toThrow('lost_records');
    await connection.run('ALTER TABLE elsewhere RENAME TO lost_records');
    expect(sink.nextOffset(TOPIC, 0)).toBe(0);
    expect(await lostRecords()).toEqual([]);
  });

  it('takes markers and compacted records behind a batch for no loss, also after a restart', async () => {
    await sink.store([{ ...place, records: [block(0)], begins: 0, ends: 3 }]);
    await sink.store([{ ...place, records: [], begins: 3, ends: 7 }]);
    const restarted = await Sink.open(connection);
    expect(restarted.nextOffset(TOPIC, 0)).toBe(7);
    const report = await restarted.store([{ ...place, records: [block(7)], begins: 7, ends: 8 }]);
    expect(report.lost).toEqual([]);
    expect(await lostRecords()).toEqual([]);
  });

  it('says nothing of records between others, which a topic has compacted', async () => {
    await sink.store([batch('checkpoints', 0, [record(0, { type: 'x' }), record(9, { type: 'x' })])]);
    expect(await lostRecords()).toEqual([]);
  });
});

describe('windows of results that were written and never came', () => {
  /** A block of a window behind which `after` windows had gone; null for the first of its partition. */
  const following = (offset: number, window: number, after: number | null) =>
    record(offset, {
      ...analysisBlock({ window }, ['a']),
      after: after === null ? null : T0 + after * WINDOW,
    });
  const lostWindows = () =>
    query(
      connection,
      `SELECT topic, source_partition AS p, (epoch_us(from_window) - ${T0}) // ${WINDOW} AS a, (epoch_us(until_window) - ${T0}) // ${WINDOW} AS z
       FROM lost_windows`,
    );

  it('are kept where a topic was made anew before all of it was stored', async () => {
    await sink.enterLog(TOPIC, 'cluster/first');
    await sink.store([{ ...place, records: [following(0, 0, null), following(1, 1, 1)] }]);
    await sink.enterLog(TOPIC, 'cluster/second');
    const report = await sink.store([{ ...place, records: [following(0, 5, 5), following(1, 6, 6)] }]);
    expect(report.blocks.gap).toBe(1);
    expect(await lostWindows()).toEqual([{ topic: TOPIC, p: 0, a: 2, z: 5 }]);
  });

  it('are none where nothing came for hours, as only the latest of such windows is written', async () => {
    await sink.store([{ ...place, records: [following(0, 0, null), following(1, 50, 1)] }]);
    expect(await lostWindows()).toEqual([]);
  });
});

describe('rejects that were written and never came', () => {
  const REJECTS = { topic: TOPICS.rejects.name, partition: 0 };
  const reject = (offset: number, number: number | null, epoch = 4) =>
    record(offset, Buffer.from(`event ${number ?? 'of old'}`), {
      headers: {
        ...{ reason: 'late', 'source-partition': '0', 'source-offset': String(100 + offset) },
        ...{ epoch: String(epoch), ...(number !== null && { number: String(number) }) },
      },
    });
  const lostRejects = () =>
    query(
      connection,
      'SELECT topic, source_partition AS p, from_number AS a, until_number AS z FROM lost_rejects',
    );
  const lost = (a: number, z: number) => [{ topic: REJECTS.topic, p: 0, a, z }];

  it('are counted where their topic was made anew before all of it was stored', async () => {
    await sink.enterLog(REJECTS.topic, 'cluster/first');
    await sink.store([{ ...REJECTS, records: [reject(0, 1), reject(1, 2)] }]);
    const restarted = await Sink.open(connection);
    await restarted.enterLog(REJECTS.topic, 'cluster/second');
    const report = await restarted.store([{ ...REJECTS, records: [reject(0, 43), reject(1, 44)] }]);
    expect(report.lostRejects).toEqual([{ ...REJECTS, from: 3, until: 43 }]);
    expect(await lostRejects()).toEqual(lost(3, 43));
  });

  it('are counted before the first that a new warehouse gets', async () => {
    await sink.store([{ ...REJECTS, records: [reject(0, 8)] }]);
    expect(await lostRejects()).toEqual(lost(1, 8));
  });

  it('are none where a worker that recovered writes the last ones again', async () => {
    const numbers = [1, 2, 3, 2, 3, 4];
    await sink.store([{ ...REJECTS, records: numbers.map((number, at) => reject(at, number)) }]);
    expect(await lostRejects()).toEqual([]);
  });

  it('are none where they are counted as records that the topic let go', async () => {
    await sink.store([{ ...REJECTS, records: [reject(0, 1)] }]);
    await sink.store([{ ...REJECTS, records: [reject(5, 6), reject(6, 8)], begins: 5 }]);
    expect(await lostRecords()).toEqual([{ topic: REJECTS.topic, p: 0, a: 1, z: 5 }]);
    expect(await lostRejects()).toEqual(lost(7, 8));
  });

  it('are not known behind rejects of a release that did not number them', async () => {
    await sink.store([{ ...REJECTS, records: [reject(0, null), reject(1, 90), reject(2, 92)] }]);
    expect(await lostRejects()).toEqual(lost(91, 92));
  });

  it('are none of those of a worker that had lost the partition', async () => {
    const fence = record(0, Buffer.from('{}'), { headers: { fence: '5' } });
    await sink.store([{ ...REJECTS, records: [fence, reject(1, 70, 4), reject(2, 1, 5)] }]);
    expect(await lostRejects()).toEqual([]);
  });
});

describe('events that the stream says were gone before it read them', () => {
  const claim = { type: 'claim', partition: 0, worker: 'w' };
  const gap = (epoch: number, from: number, until: number) => ({
    type: 'gap',
    partition: 0,
    epoch,
    from,
    until,
  });
  const log = [
    record(0, claim, { key: 'claim/0/w/1' }),
    record(1, gap(0, 0, 5), { key: 'gap/0/0/0' }),
    record(2, claim, { key: 'claim/0/w/2' }),
    record(3, gap(0, 5, 50), { key: 'gap/0/5/0' }),
    record(4, gap(2, 9, 12), { key: 'gap/0/9/2' }),
  ];
  const ofStream = [
    { topic: TOPICS.stream.name, p: 0, a: 0, z: 5 },
    { topic: TOPICS.stream.name, p: 0, a: 9, z: 12 },
  ];

  it('are kept as lost; what the writer of an older claim says is void', async () => {
    await sink.store([batch('checkpoints', 0, log)]);
    expect(await lostRecords()).toEqual(ofStream);
  });

  it('are kept once, also where the log is stored again', async () => {
    await sink.store([batch('checkpoints', 0, log)]);
    await sink.beginAnew(TOPICS.checkpoints.name, 0);
    await sink.store([batch('checkpoints', 0, log)]);
    expect(await lostRecords()).toEqual(ofStream);
  });
});

describe('messages that ingest says were gone before it read them', () => {
  const topics = { eventTopic: TOPICS.stream.name, messageTopic: 'plant' };
  let offset = 0;
  const LOG = `c/${'0'.repeat(32)}`;
  const store = (...losses: readonly ExpiredRecords[]): Promise<SinkReport> => storeOf(LOG, ...losses);
  const storeOf = async (logId: string, ...losses: readonly ExpiredRecords[]): Promise<SinkReport> => {
    const withSource = await Sink.open(connection, DEFAULT_TASK, TRUSTED, topics);
    const records = losses.map((lost) => {
      offset += 1;
      return record(offset, null, { value: null, headers: lossMessage(1, lost, logId).headers ?? {} });
    });
    return withSource.store([batch('ingestRejects', 0, records)]);
  };
  const expired = (from: number, until: number) => ({ kind: 'expired', from, until }) as const;

  it('are kept as lost from the source’s topic', async () => {
    const report = await store(expired(2, 5), expired(9, 12));
    expect(report.records[TOPICS.ingestRejects.name]).toEqual({ used: 2, aside: 0 });
    expect(await lostRecords()).toEqual([
      { topic: 'plant', p: 1, a: 2, z: 5 },
      { topic: 'plant', p: 1, a: 9, z: 12 },
    ]);
  });

  it('count once when a worker notes them again after a crash, then of a log that has let go more', async () => {
    await store(expired(2, 5), expired(2, 5));
    await store(expired(2, 7));
    expect(await lostRecords()).toEqual([{ topic: 'plant', p: 1, a: 2, z: 7 }]);
  });

  it('count of a topic that was made anew, whose offsets are those of messages that were lost before', async () => {
    await store(expired(0, 10));
    await storeOf(`c/${'f'.repeat(32)}`, expired(0, 6));
    await storeOf('', expired(0, 8));
    await store(expired(0, 12));
    const lost = await lostRecords();
    expect(lost).toHaveLength(3);
    expect(lost).toEqual(expect.arrayContaining([6, 8, 12].map((z) => ({ topic: 'plant', p: 1, a: 0, z }))));
  });

  it('are put aside where nothing lies between their offsets, and in a fleet whose source is no topic', async () => {
    expect((await store(expired(5, 5))).records[TOPICS.ingestRejects.name]).toEqual({ used: 0, aside: 1 });
    const { headers = {} } = lossMessage(1, expired(0, 5), LOG);
    await sink.store([batch('ingestRejects', 0, [record(99, '', { headers })])]);
    expect(await lostRecords()).toEqual([]);
  });
});

it('counts a loss, and when it was noticed, in the metrics of every process that opens the file', async () => {
  const began = Date.now() / 1_000;
  const kafka = new FakeKafka(1);
  for (let window = 0; window < 4; window += 1) kafka.append(TOPIC, 0, analysisBlock({ window }, ['a']));
  kafka.deleteBefore(TOPIC, 0, 3);
  const intake = await Intake.start({
    kafka: kafka.asKafka(),
    sink,
    groupId: 'group',
    log: silentLogger(),
    file: warehouse.path,
    onStored: () => undefined,
  });
  await kafka.deliver();
  await intake.stop();
  for (let process = 0; process < 2; process += 1) {
    const registry = createMetrics('analytics');
    registerWarehouseMetrics(registry, await warehouse.connect(), warehouse.path);
    const shown = await registry.metrics();
    expect(shown).toMatch(/fedloop_sink_records_lost_total\{.*topic="stream-analysis-results".*\} 3\n/);
    const [, noticed] = /records_lost_timestamp_seconds\{.*\} (\S+)\n/.exec(shown) ?? [];
    expect(Number(noticed)).toBeGreaterThanOrEqual(began - 0.001);
    expect(Number(noticed)).toBeLessThanOrEqual(Date.now() / 1_000);
  }
});
