import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { FedloopError } from '../../../core/contracts/errors';
import { loadRecording } from '../../../fleet/series';

const HOUR = 3_600_000;
const START = Date.parse('2020-01-01T00:00:00Z');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-series-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, text: string): void => {
  writeFileSync(join(folder, name), name.endsWith('.gz') ? gzipSync(text) : text);
};
const isoHour = (hour: number): string => new Date(START + hour * HOUR).toISOString();
/** `hours` hourly rows; the temperature is the hour. */
const hourly = (
  device: string,
  hours: number,
  time: (hour: number) => string = isoHour,
  header = 'device_id,timestamp,temperature',
): string =>
  [header, ...Array.from({ length: hours }, (_, hour) => `${device},${time(hour)},${hour}`)].join('\n');

const refusal = async (options: { directory: string; labelColumn?: string }): Promise<FedloopError> => {
  const thrown = await loadRecording(options).catch((cause: unknown) => cause);
  expect(thrown).toBeInstanceOf(FedloopError);
  return thrown as FedloopError;
};

describe('what can be read', () => {
  it('takes the median spacing for the step and one value a step', async () => {
    write('a.csv', hourly('a', 60));
    const { recording } = await loadRecording({ directory: folder });
    expect(recording.stepMicros).toBe(HOUR * 1_000);
    expect(recording.startMicros).toBe(START * 1_000);
    expect([...recording.series[0]!.target]).toEqual(Array.from({ length: 60 }, (_, hour) => hour));
  });

  it('reads plain and gzipped CSV and Parquet side by side, and joins a sensor’s files', async () => {
    write('a-1.csv', hourly('a', 48));
    write(
      'a-2.csv.gz',
      hourly('a', 48, (hour) => isoHour(hour + 48)),
    );
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    await connection.run(
      `COPY (SELECT 'b' AS device_id, TIMESTAMP '2020-01-01' + INTERVAL 1 HOUR * i AS "timestamp", i::FLOAT AS temperature,
       50 + i AS humidity FROM range(50) t(i)) TO '${join(folder, 'b.parquet')}' (FORMAT parquet)`,
    );
    connection.closeSync();
    const { recording, files } = await loadRecording({ directory: folder });
    expect(files).toHaveLength(3);
    expect(recording.series.map(({ id, target }) => [id, target.length])).toEqual([
      ['a', 96],
      ['b', 50],
    ]);
    expect(recording.series[1]!.covariates[0]![3]).toBe(53);
    expect(recording.series[0]!.covariates[0]!.every(Number.isNaN)).toBe(true);
  });

  it.each<[string, (hour: number) => string]>([
    ['ISO without a zone is UTC', (hour) => isoHour(hour).replace('.000Z', '').replace('T', ' ')],
    ['ISO with a zone', (hour) => isoHour(hour + 8).replace('.000Z', '+08:00')],
    ['epoch milliseconds', (hour) => String(START + hour * HOUR)],
  ])('understands time as %s', async (_, time) => {
    write('a.csv', hourly('a', 50, time));
    const { recording } = await loadRecording({ directory: folder });
    expect(recording.startMicros).toBe(START * 1_000);
    expect(recording.series[0]!.target).toHaveLength(50);
  });

  it('puts series that begin later on the same grid', async () => {
    write('a.csv', hourly('a', 60));
    write(
      'b.csv',
      hourly('b', 50, (hour) => isoHour(hour + 100)),
    );
    const { recording } = await loadRecording({ directory: folder });
    expect(recording.series[1]!.firstStep).toBe(100);
  });

  it('fills short gaps, keeps long ones, and forgives readings that miss their step by a little', async () => {
    const rows = hourly('a', 60, (hour) =>
      new Date(START + hour * HOUR + (hour % 3) * 60_000).toISOString(),
    ).split('\n');
    write('a.csv', [...rows.slice(0, 6), ...rows.slice(7, 21), ...rows.slice(31)].join('\n'));
    const { target } = (await loadRecording({ directory: folder })).recording.series[0]!;
    expect(target[5]).toBe(5);
    expect(target.subarray(20, 30).every(Number.isNaN)).toBe(true);
    expect(target[30]).toBe(30);
  });

  it('leaves out rows it cannot use and says how many', async () => {
    write(
      'a.csv',
      `${hourly('a', 60)}\na,yesterday,5\na,${isoHour(70)},warm\n,${isoHour(70)},5\na,${isoHour(71)},NaN`,
    );
    const { recording, unreadableRows } = await loadRecording({ directory: folder });
    expect(unreadableRows).toBe(4);
    expect(recording.series[0]!.target).toHaveLength(60);
  });

  it('reads the column that marks anomalies, as numbers or as words', async () => {
    const rows = Array.from({ length: 60 }, (_, hour) => `a,${isoHour(hour)},1,${hour === 7 ? 'true' : '0'}`);
    write('a.csv', ['device_id,timestamp,temperature,odd', ...rows].join('\n'));
    const { recording } = await loadRecording({ directory: folder, labelColumn: 'odd' });
    expect([...recording.series[0]!.label!].flatMap((marked, step) => (marked === 1 ? [step] : []))).toEqual([
      7,
    ]);
  });

  it('leaves out series that are too short, as long as others remain', async () => {
    write('a.csv', hourly('a', 60));
    write('b.csv', hourly('b', 10));
    const { recording, seriesLeftOut } = await loadRecording({ directory: folder });
    expect(recording.series.map(({ id }) => id)).toEqual(['a']);
    expect(seriesLeftOut).toBe(1);
  });
});

describe('what ends with one sentence', () => {
  it('a folder that is not there', async () => {
    const error = await refusal({ directory: join(folder, 'nowhere') });
    expect(error.message).toMatch(/^there is no data folder .*nowhere$/);
    expect(error.code).toBe('InvalidData');
    expect(error.exitCode).toBe(2);
    expect(error.hint).toMatch(/folder of CSV or Parquet files/);
  });

  it('an empty folder; with folders inside, one of them is proposed', async () => {
    expect((await refusal({ directory: folder })).message).toMatch(/holds no .csv/);
    mkdirSync(join(folder, 'weather'));
    expect((await refusal({ directory: folder })).hint).toContain(join(folder, 'weather'));
  });

  it('missing columns, each by its name', async () => {
    write('odd.csv', hourly('a', 60, isoHour, 'sensor,timestamp,degrees'));
    const error = await refusal({ directory: folder });
    expect(error.message).toMatch(/odd.csv has no column device_id, temperature$/);
    expect(error.hint).toMatch(/sensor, timestamp, degrees/);
  });

  it('a label column that is not there', async () => {
    write('a.csv', hourly('a', 60));
    expect((await refusal({ directory: folder, labelColumn: 'odd' })).message).toMatch(/no column odd/);
  });

  it('no row that can be used', async () => {
    write(
      'a.csv',
      hourly('a', 60, () => 'yesterday'),
    );
    expect((await refusal({ directory: folder })).message).toMatch(/none of the 60 rows/);
  });

  it('only series that are too short', async () => {
    write('a.csv', hourly('a', 10));
    expect((await refusal({ directory: folder })).message).toMatch(/48 readings/);
  });

  it('a stray timestamp that would stretch a series over decades', async () => {
    write('a.csv', `${hourly('a', 60)}\na,1970-01-01T00:00:00Z,1`);
    const error = await refusal({ directory: folder });
    expect(error.message).toMatch(/series a spreads 61 readings from 1970/);
  });

  it('a file that is no Parquet', async () => {
    write('a.parquet', 'nonsense');
    expect((await refusal({ directory: folder })).message).toMatch(/a.parquet cannot be read/);
  });
});
