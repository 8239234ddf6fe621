import { z } from 'zod';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { readFleetTables } from '../../../cli/status/fleet-status';
import { INGEST_REJECT_HEADERS } from '../../../core/contracts/ingest';
import { quoted } from '../../../core/warehouse/database/query';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { Sink } from '../../../core/warehouse/sink/sink';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { REJECT_HEADERS } from '../../../core/contracts/blocks';
import { agreeOnSettings, analysisBlock, batch, evaluationBlock, query, record } from './helpers';

let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  await agreeOnSettings(connection);
  const sink = await Sink.open(connection);
  const fleet = Array.from({ length: 10 }, (_, device) => `d${device}`);
  const windows = Array.from({ length: 60 }, (_, window) =>
    record(
      window,
      analysisBlock({ window }, [
        ...fleet,
        ...(window < 40 ? ['gone'] : []),
        ...(window % 5 === 0 ? ['rare'] : []),
        ...(window >= 55 ? ['young'] : []),
      ]),
    ),
  );
  await sink.store([batch('analysis', 0, windows)]);
  const late = (offset: number, value: object) =>
    record(offset, value, {
      headers: {
        [REJECT_HEADERS.reason]: 'late',
        [REJECT_HEADERS.partition]: '0',
        [REJECT_HEADERS.offset]: String(offset),
      },
    });
  await sink.store([
    batch('rejects', 0, [
      late(0, { device_id: 'behind', timestamp: 1 }),
      late(1, { device_id: 'behind', timestamp: 2 }),
      late(2, { device_id: 'd1', timestamp: 3 }),
      record(3, Buffer.from('{"device_id": "cut o'), late(3, {})),
    ]),
  ]);
});
afterEach(() => warehouse.close());

/** The states of all devices where a reading stays true for so many windows. */
async function statesWithHold(windows: number): Promise<Readonly<Record<string, unknown>>> {
  const { task } = DEFAULT_STREAM_SETTINGS;
  const target = { ...task.target, holdMicros: windows * task.windowMicros };
  await agreeOnSettings(connection, { ...DEFAULT_STREAM_SETTINGS, task: { ...task, target } });
  const rows = await query(
    connection,
    "SELECT device_id, state FROM device_states WHERE device_id NOT LIKE 'd%'",
  );
  return Object.fromEntries(rows.map(({ device_id: device, state }) => [String(device), state]));
}

describe('device_states of a sensor that sends on change', () => {
  it('takes windows in which a reading holds for known, and nobody for silent whose reading holds', async () => {
    // `rare` has one window of five, `gone` none of the last twenty.
    const others = { behind: 'only late', young: 'new' };
    expect(await statesWithHold(3)).toEqual({ ...others, rare: 'too sparse', gone: 'silent' });
    expect(await statesWithHold(4)).toEqual({ ...others, rare: 'forecast', gone: 'silent' });
    expect(await statesWithHold(20)).toEqual({ ...others, rare: 'forecast', gone: 'forecast' });
  });

  it('says how many windows a reading is held in', async () => {
    await statesWithHold(1);
    expect(await query(connection, "SELECT reason FROM device_states WHERE device_id = 'rare'")).toEqual([
      {
        reason:
          'has readings in 5 of 24 windows of 30 s, and with held ones a mean in 9: it sends every 10 s',
      },
    ]);
  });
});

describe('device_states', () => {
  it('has every device once, with what it does', async () => {
    const rows = await query(
      connection,
      `SELECT state, count(*)::INTEGER AS devices FROM device_states GROUP BY state ORDER BY state`,
    );
    expect(rows).toEqual([
      { state: 'forecast', devices: 10 },
      { state: 'new', devices: 1 },
      { state: 'only late', devices: 1 },
      { state: 'silent', devices: 1 },
      { state: 'too sparse', devices: 1 },
    ]);
  });

  it('are not hidden by one device whose clock is far ahead', async () => {
    const states = (): Promise<unknown> =>
      query(connection, "SELECT device_id, state FROM device_states WHERE device_id <> 'ahead' ORDER BY ALL");
    const before = await states();
    const sink = await Sink.open(connection);
    const block = analysisBlock({ window: 5_000, partition: 1 }, ['ahead']);
    await sink.store([batch('analysis', 1, [record(0, block)])]);
    expect(await states()).toEqual(before);
    expect(await query(connection, "SELECT state FROM device_states WHERE device_id = 'ahead'")).toEqual([
      { state: 'new' },
    ]);
    const { partitionsAhead } = await readFleetTables((row, sql) => connection.rows(row, sql));
    expect(partitionsAhead).toEqual([{ partition: 1, seconds: (5_000 - 59) * 30 }]);
  });

  it('calls a device forecast that is, from its imported past, before its live windows suffice', async () => {
    const sink = await Sink.open(connection);
    const evaluation = evaluationBlock({ window: 59 }, [{ version: 'v0', device: 'young', error: 0.5 }]);
    await sink.store([batch('evaluations', 0, [record(0, evaluation)])]);
    expect(await query(connection, "SELECT state FROM device_states WHERE device_id = 'young'")).toEqual([
      { state: 'forecast' },
    ]);
  });

  it('says why a device is not forecast', async () => {
    const rows = await query(
      connection,
      `SELECT device_id, reason FROM device_states WHERE state <> 'forecast' ORDER BY device_id`,
    );
    expect(rows).toEqual([
      { device_id: 'behind', reason: 'all of its 2 events came late' },
      { device_id: 'gone', reason: 'no window since 2020-01-01 00:19:30' },
      // The rows of these tests have 12 readings each.
      { device_id: 'rare', reason: 'has readings in 5 of 24 windows of 30 s: it sends every 10 s' },
      { device_id: 'young', reason: 'has 5 of the 20 windows that a forecast needs' },
    ]);
  });
});

describe('what was put aside', () => {
  it('is counted by reason, events and messages that became none', async () => {
    const sink = await Sink.open(connection);
    const unmapped = (offset: number, reason: string) =>
      record(offset, Buffer.from('{}'), {
        headers: {
          [INGEST_REJECT_HEADERS.reason]: reason,
          [INGEST_REJECT_HEADERS.path]: '/id',
          [INGEST_REJECT_HEADERS.detail]: `"${offset}" is no device id`,
          [INGEST_REJECT_HEADERS.topic]: 'plant',
          [INGEST_REJECT_HEADERS.partition]: '0',
          [INGEST_REJECT_HEADERS.offset]: String(offset),
          [INGEST_REJECT_HEADERS.size]: '2',
        },
      });
    await sink.store([
      batch('ingestRejects', 0, [unmapped(0, 'bad-device-id'), unmapped(1, 'bad-device-id')]),
    ]);
    const { putAside } = await readFleetTables((row, sql) => connection.rows(row, sql));
    expect(putAside.map(({ source, reason, detail, events }) => [source, reason, detail, events])).toEqual([
      ['stream', 'late', null, 4],
      ['ingest', 'bad-device-id', null, 2],
    ]);
  });
});

describe('SQL text of a device id', () => {
  it.each(['a', "o'neill", 'a\0b', '\0', "\0'\0", ''])('is that id: %j', async (id) => {
    const sql = `SELECT ${quoted(id)} AS id, 'x' IN (${quoted(id)}, 'x') AS listed`;
    expect(await connection.rows(z.object({ id: z.string(), listed: z.boolean() }), sql)).toEqual([
      { id, listed: true },
    ]);
  });
});
