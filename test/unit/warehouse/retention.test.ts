import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { expireRows, Retention } from '../../../core/warehouse/retention';
import { lifetimeScores } from '../../../core/warehouse/queries/rounds';
import { Sink } from '../../../core/warehouse/sink/sink';
import { addFinishedDays } from '../../../core/warehouse/batch/stream-days';
import { agreeOnSettings, analysisBlock, query, batch, evaluationBlock, record, T0, WINDOW } from './helpers';

const DAY = 86_400_000_000;
const WINDOWS_PER_DAY = DAY / WINDOW;

let warehouse: Warehouse;
let connection: SerialConnection;
let sink: Sink;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  await agreeOnSettings(connection);
  sink = await Sink.open(connection);
  await sink.store([
    batch('analysis', 0, [
      record(0, analysisBlock({ window: 0 }, ['a', 'b'])),
      record(1, analysisBlock({ window: 1 }, ['b'])),
      record(2, analysisBlock({ window: WINDOWS_PER_DAY }, ['a'])),
    ]),
    batch('evaluations', 0, [
      record(
        0,
        evaluationBlock({ window: 0 }, [
          { version: 'v0', device: 'a', error: 0 },
          { version: 'v0', device: 'b', error: 2 },
        ]),
      ),
      record(1, evaluationBlock({ window: 1 }, [{ version: 'v0', device: 'b', error: 2 }])),
      record(2, evaluationBlock({ window: WINDOWS_PER_DAY }, [{ version: 'v0', device: 'a', error: 0 }])),
    ]),
  ]);
});
afterEach(async () => {
  await warehouse.close();
});

const days = () =>
  query(
    connection,
    'SELECT device_id, day, sensor, avg, min, max, stddev, count FROM batch_analysis_results ORDER BY ALL',
  );

describe('finished days of the stream', () => {
  it('come into the batch results with the figures of their readings, once', async () => {
    expect(await addFinishedDays(connection, T0 + DAY - 1)).toEqual([]);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual(['2020-01-01']);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual([]);
    // b: 12 readings around 21 and 12 around 20, each with a deviation of 0.5.
    const ofB = Math.sqrt((2 * 11 * 0.25 + 24 * 0.25) / 23);
    expect(await days()).toEqual([
      {
        device_id: 'a',
        day: '2020-01-01',
        sensor: 'temperature',
        avg: 20,
        min: 19,
        max: 22,
        stddev: 0.5,
        count: 12,
      },
      {
        device_id: 'b',
        day: '2020-01-01',
        sensor: 'temperature',
        avg: 20.5,
        min: 19,
        max: 22,
        stddev: expect.closeTo(ofB, 12) as number,
        count: 24,
      },
    ]);
  });
});

describe('a finished day of the stream', () => {
  it('is counted again when an idle partition delivers readings of it', async () => {
    await addFinishedDays(connection, T0 + DAY);
    await sink.store([
      batch('analysis', 1, [record(0, analysisBlock({ window: 1, partition: 1 }, ['c', 'd']))]),
    ]);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual(['2020-01-01']);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual([]);
    expect((await days()).map(({ device_id, count }) => [device_id, count])).toEqual([
      ['a', 12],
      ['b', 24],
      ['c', 12],
      ['d', 12],
    ]);
  });

  it('keeps its figures when its rows have gone for their age', async () => {
    await addFinishedDays(connection, T0 + DAY);
    await expireRows(connection, T0 + DAY, T0 + DAY);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual([]);
    expect((await days()).map(({ device_id, count }) => [device_id, count])).toEqual([
      ['a', 12],
      ['b', 24],
    ]);
  });
});

describe('readings that come after the rows of their window have gone', () => {
  const comeLate = () =>
    sink.store([
      batch('analysis', 1, [record(0, analysisBlock({ window: 1, partition: 1 }, ['c']))]),
      batch('evaluations', 1, [
        record(0, evaluationBlock({ window: 1, partition: 1 }, [{ version: 'v0', device: 'c', error: 0 }])),
      ]),
    ]);
  const windowsOf = () =>
    query(connection, 'SELECT window_start, evaluations, correct FROM version_windows ORDER BY ALL');

  it('join the sums of their version and window, which stays one window', async () => {
    await addFinishedDays(connection, T0 + DAY);
    await expireRows(connection, T0 + DAY, T0 + DAY);
    await comeLate();
    const together = [
      { window_start: T0, evaluations: 2, correct: 1 },
      { window_start: T0 + WINDOW, evaluations: 2, correct: 1 },
      { window_start: T0 + DAY, evaluations: 1, correct: 1 },
    ];
    expect(await windowsOf()).toEqual(together);
    expect(await query(connection, 'SELECT windows, evaluations FROM model_scoreboard')).toEqual([
      { windows: 3, evaluations: 5 },
    ]);
    expect(
      await query(
        connection,
        'SELECT device_id, model_accuracy FROM model_evaluations ORDER BY window_start',
      ),
    ).toEqual([
      { device_id: 'c', model_accuracy: 0.5 },
      { device_id: 'a', model_accuracy: 0.6 },
    ]);
    await expireRows(connection, T0 + DAY, T0 + DAY);
    expect(await windowsOf()).toEqual(together);
  });

  it('join the figures of their day, each time that some come', async () => {
    await addFinishedDays(connection, T0 + DAY);
    await expireRows(connection, T0 + DAY, T0 + DAY);
    await comeLate();
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual(['2020-01-01']);
    await sink.store([
      batch('analysis', 1, [record(1, analysisBlock({ window: 2, partition: 1 }, ['b', 'c']))]),
    ]);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual(['2020-01-01']);
    expect(await addFinishedDays(connection, T0 + DAY)).toEqual([]);
    expect((await days()).map(({ device_id, count }) => [device_id, count])).toEqual([
      ['a', 12],
      ['b', 36],
      ['c', 24],
    ]);
  });
});

describe('the first readings of a day that come after its time has gone', () => {
  it('are counted once, and go', async () => {
    await addFinishedDays(connection, T0 + DAY);
    await expireRows(connection, T0 + 3 * DAY, T0 + 3 * DAY);
    await sink.store([
      batch('analysis', 1, [record(0, analysisBlock({ window: 2 * WINDOWS_PER_DAY, partition: 1 }, ['c']))]),
    ]);
    const counted = [
      ['a', 12],
      ['b', 24],
      ['a', 12],
      ['c', 12],
    ];
    expect(await addFinishedDays(connection, T0 + 3 * DAY)).toEqual(['2020-01-03']);
    expect(await addFinishedDays(connection, T0 + 3 * DAY)).toEqual([]);
    expect((await days()).map(({ device_id, count }) => [device_id, count]).sort()).toEqual(counted.sort());
    expect(await query(connection, 'SELECT count(*) AS n FROM stream_analysis_results')).toEqual([{ n: 0 }]);
  });
});

describe('rows that are too old', () => {
  it('go, and what was counted of them stays', async () => {
    const before = await lifetimeScores(connection);
    await addFinishedDays(connection, T0 + DAY);
    await expireRows(connection, T0 + DAY, T0 + DAY);
    expect(await lifetimeScores(connection)).toEqual(before);
    expect(await query(connection, 'SELECT window_start, model_accuracy FROM model_evaluations')).toEqual([
      { window_start: T0 + DAY, model_accuracy: 0.5 },
    ]);
    expect(await query(connection, 'SELECT window_start FROM stream_analysis_results')).toEqual([
      { window_start: T0 + DAY },
    ]);
    expect(await days()).toHaveLength(2);
  });

  it('go as event time moves on, not before', async () => {
    const retention = new Retention(connection, DAY / 1000, Date.now, 1);
    await retention.advance(Number.NEGATIVE_INFINITY);
    await retention.advance(T0 + DAY);
    expect(await query(connection, 'SELECT count(*) AS n FROM evaluation_rows')).toEqual([{ n: 4 }]);
    await retention.advance(T0 + DAY + WINDOW);
    expect(await query(connection, 'SELECT count(*) AS n FROM evaluation_rows')).toEqual([{ n: 4 }]);
    await retention.advance(T0 + 2 * DAY);
    expect(await query(connection, 'SELECT count(*) AS n FROM evaluation_rows')).toEqual([{ n: 1 }]);
  });

  it('do not go by the word of one device', async () => {
    const ahead = 400 * WINDOWS_PER_DAY;
    await sink.store([
      batch('analysis', 0, [
        record(3, analysisBlock({ window: WINDOWS_PER_DAY + 1 }, ['b', 'c', 'd'])),
        record(4, analysisBlock({ window: ahead }, ['a'])),
      ]),
    ]);
    await new Retention(connection, (2 * DAY) / 1000, Date.now, 1).advance(T0 + 401 * DAY);
    expect(await query(connection, 'SELECT count(*) AS n FROM evaluation_rows')).toEqual([{ n: 4 }]);
  });

  it('do not go before the clock of this machine has reached their time', async () => {
    const retention = new Retention(connection, DAY / 1000, () => (T0 + DAY) / 1000, 1);
    await retention.advance(T0 + 2 * DAY);
    expect(await query(connection, 'SELECT count(*) AS n FROM evaluation_rows')).toEqual([{ n: 4 }]);
  });

  it('stay as long as they are among the newest windows, on which rounds and champions are measured', async () => {
    const windowsAfter = async (keptWindows: number): Promise<unknown> => {
      await new Retention(connection, DAY / 1000, Date.now, keptWindows).advance(T0 + 9 * DAY);
      return query(connection, 'SELECT count(DISTINCT window_start) AS n FROM evaluation_rows');
    };
    expect(await windowsAfter(64)).toEqual([{ n: 3 }]);
    expect(await windowsAfter(2)).toEqual([{ n: 2 }]);
    expect(await windowsAfter(1)).toEqual([{ n: 1 }]);
  });

  it('stay from the first window of a candidate on, whose round waits for more', async () => {
    await connection.run(
      "INSERT INTO model_versions (model_version, round, stage) VALUES ('v1', 1, 'candidate')",
    );
    await connection.run(
      `INSERT INTO stream_activations VALUES ('v1', 0, 1, make_timestamp(${T0 + WINDOW}), NULL), ('v1', 1, 1, NULL, NULL)`,
    );
    const retention = (): Retention => new Retention(connection, DAY / 1000, Date.now, 1);
    await retention().advance(T0 + 9 * DAY);
    expect(await query(connection, 'SELECT count(DISTINCT window_start) AS n FROM evaluation_rows')).toEqual([
      { n: 2 },
    ]);
    await connection.run("UPDATE model_versions SET stage = 'retired'");
    await retention().advance(T0 + 9 * DAY);
    expect(await query(connection, 'SELECT count(DISTINCT window_start) AS n FROM evaluation_rows')).toEqual([
      { n: 1 },
    ]);
  });
});
