import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { openReadings } from '../../../core/warehouse/batch/readings-file';
import { runBatch } from '../../../core/warehouse/batch/run-batch';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { query, temporaryFolder } from './helpers';

const root = temporaryFolder();
let count = 0;
let folder: string;
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  count += 1;
  folder = join(root.path, `processed-${count}`);
  mkdirSync(folder);
  warehouse = await openWarehouse(join(root.path, `${count}.duckdb`));
  connection = await warehouse.connect();
});
afterEach(async () => {
  await warehouse.close();
});
afterAll(() => {
  root.remove();
});

const HEADER = 'device_id,timestamp,temperature,humidity\n';
function write(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const results = () =>
  query(
    connection,
    'SELECT device_id, day, sensor, avg, min, max, stddev, count FROM batch_analysis_results ORDER BY ALL',
  );
const rejected = () =>
  query(
    connection,
    "SELECT parse_filename(file) AS file, line, reason FROM rejected_rows WHERE source = 'batch' ORDER BY ALL",
  );

describe('counting a folder', () => {
  it('gives AVG, MIN, MAX, sample STDDEV and COUNT per device, UTC day and sensor', async () => {
    write(
      'a.csv',
      HEADER +
        'd1,2020-01-01T00:00:00Z,1,50\n' +
        'd1,2020-01-01T23:59:59.999999Z,3,\n' +
        'd1,2020-01-02 00:00:00,7,60\n' +
        'd2,1577836800000,5,40\n',
    );
    expect(await runBatch(connection, folder)).toMatchObject({
      files: { counted: 1, unchanged: 0, removed: 0 },
      rows: 4,
      rejectedRows: 0,
      results: 6,
    });
    expect(await results()).toEqual([
      {
        device_id: 'd1',
        day: '2020-01-01',
        sensor: 'humidity',
        avg: 50,
        min: 50,
        max: 50,
        stddev: null,
        count: 1,
      },
      {
        device_id: 'd1',
        day: '2020-01-01',
        sensor: 'temperature',
        avg: 2,
        min: 1,
        max: 3,
        stddev: Math.SQRT2,
        count: 2,
      },
      {
        device_id: 'd1',
        day: '2020-01-02',
        sensor: 'humidity',
        avg: 60,
        min: 60,
        max: 60,
        stddev: null,
        count: 1,
      },
      {
        device_id: 'd1',
        day: '2020-01-02',
        sensor: 'temperature',
        avg: 7,
        min: 7,
        max: 7,
        stddev: null,
        count: 1,
      },
      {
        device_id: 'd2',
        day: '2020-01-01',
        sensor: 'humidity',
        avg: 40,
        min: 40,
        max: 40,
        stddev: null,
        count: 1,
      },
      {
        device_id: 'd2',
        day: '2020-01-01',
        sensor: 'temperature',
        avg: 5,
        min: 5,
        max: 5,
        stddev: null,
        count: 1,
      },
    ]);
  });

  it('puts a reading with an offset on its day in UTC, whatever zone stands in the row before', async () => {
    write(
      'a.csv',
      'device_id,timestamp,x\nd,2020-01-01T05:30:00+05:30,1\nd,2020-01-01T00:00:00,1\nd,2020-01-01T23:30:00-0100,1\nd,2020-01-02T01:00:00.5+02,1\n',
    );
    await runBatch(connection, folder);
    expect(await query(connection, 'SELECT day, count FROM batch_analysis_results ORDER BY day')).toEqual([
      { day: '2020-01-01', count: 3 },
      { day: '2020-01-02', count: 1 },
    ]);
  });

  it('takes any numeric column as a sensor, leaves words aside, and misses no humidity or pressure', async () => {
    write(
      'a.csv',
      'note,Timestamp,"odd ""name"", x",DEVICE_ID,empty\nhot,2020-01-01,1.5,d,\ncold,2020-01-01,2.5,d,\n',
    );
    await runBatch(connection, folder);
    expect(await query(connection, 'SELECT sensor, avg FROM batch_analysis_results')).toEqual([
      { sensor: 'odd "name", x', avg: 2 },
    ]);
  });

  it('reads gzip, semicolons, a byte order mark, Windows line ends, quotes and Parquet', async () => {
    write('a.csv.gz', gzipSync(`${HEADER}d,2020-01-01,1,\n`));
    write('b.csv', '\uFEFFdevice_id;timestamp;temperature\r\n"d";"2020-01-01";"2"\r\n');
    write('ignored.txt', 'nothing');
    const instance = await DuckDBInstance.create(':memory:');
    const other = await instance.connect();
    await other.run(
      `COPY (SELECT 'd' AS device_id, t AS timestamp, v AS temperature, 'x' AS note
             FROM (VALUES (TIMESTAMPTZ '2020-01-01 23:00:00-05', 3::DECIMAL(4, 1)), (TIMESTAMPTZ '2020-01-01 10:00:00+00', 4)) rows(t, v))
       TO '${join(folder, 'c.parquet')}'`,
    );
    instance.closeSync();
    const batch = await runBatch(connection, folder);
    expect(batch).toMatchObject({ files: { counted: 3 }, rows: 4, rejectedRows: 0 });
    expect(
      await query(connection, 'SELECT day, avg, count FROM batch_analysis_results ORDER BY day'),
    ).toEqual([
      { day: '2020-01-01', avg: 7 / 3, count: 3 },
      { day: '2020-01-02', avg: 3, count: 1 },
    ]);
  });

  it('waits for no pipe that has the name of a file', async () => {
    write('own.csv', `${HEADER}d1,2020-01-01T00:00:00Z,1,50\n`);
    for (const name of ['devices.csv', 'pipe.csv']) execFileSync('mkfifo', [join(folder, name)]);
    expect(await runBatch(connection, folder)).toMatchObject({ files: { counted: 1 }, rows: 1 });
    expect(await openReadings(connection, join(folder, 'pipe.csv'))).toBe('it is no file');
  });

  it('loads devices.csv beside it and does not count it', async () => {
    write('devices.csv', 'device_id,series,slot\nd1,weather,3\nd2,"we,ather",4\n');
    write('a.csv', `${HEADER}d1,2020-01-01,1,\n`);
    await runBatch(connection, folder);
    expect(await query(connection, 'SELECT * FROM devices ORDER BY device_id')).toEqual([
      { device_id: 'd1', series: 'weather', slot: '3' },
      { device_id: 'd2', series: 'we,ather', slot: '4' },
    ]);
  });

  it('names a folder that is not there', async () => {
    await expect(runBatch(connection, join(folder, 'nowhere'))).rejects.toMatchObject({
      code: 'InvalidData',
    });
  });

  it('finds no files where a folder may be missing, but misses one that it has counted files of', async () => {
    const options = { mayBeMissing: true };
    write('a.csv', HEADER + 'd1,2020-01-01T00:00:00Z,1,50\n');
    expect(await runBatch(connection, folder, options)).toMatchObject({ files: { counted: 1 } });
    expect(await runBatch(connection, join(folder, 'nowhere'), options)).toMatchObject({
      files: { counted: 0, unchanged: 0, removed: 0 },
    });
    rmSync(folder, { recursive: true });
    await expect(runBatch(connection, folder, options)).rejects.toMatchObject({ code: 'InvalidData' });
    expect(await query(connection, 'SELECT count(*)::INTEGER AS n FROM batch_files')).toEqual([{ n: 1 }]);
  });
});

describe('broken rows', () => {
  it('are counted and reported with file and line, and stop nothing', async () => {
    write(
      'a.csv',
      HEADER +
        'd,2020-01-01,1,\n' +
        'd,2020-01-01,warm,\n' +
        'd,yesterday,1,\n' +
        'd,2020-01-01\n' +
        'd,2020-01-01,1,2,3\n' +
        ',2020-01-01,1,\n' +
        'd,2020-01-01,nan,\n' +
        'd,2020-01-01,inf,\n' +
        'd,2020-01-01,1e300,\n' +
        'd,2020-13-01,1,\n' +
        'd,infinity,1,\n' +
        '\n' +
        'd,2020-01-01,3,\n',
    );
    write('b.csv', `${HEADER}d,2020-01-01,5,\nd,,5,\n`);
    const batch = await runBatch(connection, folder);
    expect(batch).toMatchObject({ rows: 3, rejectedRows: 11 });
    expect(await query(connection, 'SELECT avg, count FROM batch_analysis_results')).toEqual([
      { avg: 3, count: 3 },
    ]);
    expect(await rejected()).toEqual([
      { file: 'a.csv', line: 3, reason: 'cast' },
      { file: 'a.csv', line: 4, reason: 'bad-timestamp' },
      { file: 'a.csv', line: 5, reason: 'missing-columns' },
      { file: 'a.csv', line: 6, reason: 'too-many-columns' },
      { file: 'a.csv', line: 7, reason: 'no-device' },
      { file: 'a.csv', line: 8, reason: 'not-finite' },
      { file: 'a.csv', line: 9, reason: 'not-finite' },
      { file: 'a.csv', line: 10, reason: 'not-finite' },
      { file: 'a.csv', line: 11, reason: 'bad-timestamp' },
      { file: 'a.csv', line: 12, reason: 'bad-timestamp' },
      { file: 'b.csv', line: 3, reason: 'bad-timestamp' },
    ]);
  });

  it('of a file without readings are one: the file', async () => {
    write('empty.csv', '');
    write('other.csv', 'a,b\n1,2\n');
    write('twice.csv', 'device_id,timestamp,x,X\nd,2020-01-01,1,2\n');
    write('cut.csv.gz', gzipSync(HEADER + 'd,2020-01-01,1,\n'.repeat(1000)).subarray(0, 40));
    write('not.parquet', 'PAR1');
    write('good.csv', `${HEADER}d,2020-01-01,5,\n`);
    expect(await runBatch(connection, folder)).toMatchObject({ rows: 1, rejectedRows: 5 });
    expect(await rejected()).toEqual(
      ['cut.csv.gz', 'empty.csv', 'not.parquet', 'other.csv', 'twice.csv'].map((file) => ({
        file,
        line: null,
        reason: 'unreadable',
      })),
    );
  });

  it('with a quote that is never closed take no other row along', async () => {
    const good = 'd,2020-01-01,1,\n';
    write('a.csv', `${HEADER}${good}d,2020-01-01,"1,\n${good}${good}`);
    write('b.csv', `${HEADER}${good}"d,2020-01-01,1,\n${good}d,2020-01-01,"1",\n${good}`);
    write('c.csv', `${HEADER}${good}"e,2020-01-01,1,\n${good}"e,2020-01-01,1,\nd,never,1,\n`);
    expect(await runBatch(connection, folder)).toMatchObject({ rows: 3 + 4 + 2, rejectedRows: 1 + 1 + 3 });
    expect(await rejected()).toEqual([
      { file: 'a.csv', line: 3, reason: 'quotes' },
      { file: 'b.csv', line: 3, reason: 'quotes' },
      { file: 'c.csv', line: 3, reason: 'quotes' },
      { file: 'c.csv', line: 5, reason: 'quotes' },
      { file: 'c.csv', line: 6, reason: 'bad-timestamp' },
    ]);
    expect(await query(connection, 'SELECT device_id, count FROM batch_analysis_results')).toEqual([
      { device_id: 'd', count: 9 },
    ]);
  });

  it('with invalid text, endless lines and line ends of two kinds leave the good rows', async () => {
    write(
      'a.csv',
      Buffer.concat([
        Buffer.from(`${HEADER}d,2020-01-01,1,\n`),
        Buffer.from([0x64, 0xff, 0xfe]),
        Buffer.from(`,2020-01-01,1,\n${'x'.repeat(2_500_000)},2020-01-01,1,\nd,2020-01-01,3,\n`),
      ]),
    );
    write('b.csv', `${HEADER}d,2020-01-01,2,\r\nd,2020-01-01,2,\nd,2020-01-01,2,\r\n`);
    expect(await runBatch(connection, folder)).toMatchObject({ rows: 5, rejectedRows: 2 });
    expect(await query(connection, 'SELECT avg, count FROM batch_analysis_results')).toEqual([
      { avg: 2, count: 5 },
    ]);
  });
});

describe('running again', () => {
  const touch = (path: string): void => {
    const later = new Date(statSync(path).mtimeMs + 5000);
    utimesSync(path, later, later);
  };

  it('changes nothing and reads nothing that is unchanged in size and time', async () => {
    const path = write('a.csv', `${HEADER}d,2020-01-01,1,\nd,broken,1,\n`);
    const before = new Date('2020-01-01T00:00:00Z');
    utimesSync(path, before, before);
    await runBatch(connection, folder);
    const first = [await results(), await rejected()];
    // Other bytes of the same size and time show that the file is not read.
    writeFileSync(path, `${HEADER}d,2020-01-01,9,\nd,broken,1,\n`);
    utimesSync(path, before, before);
    expect(await runBatch(connection, folder)).toMatchObject({
      files: { counted: 0, unchanged: 1, removed: 0 },
      rows: 0,
      results: 1,
    });
    expect([await results(), await rejected()]).toEqual(first);
  });

  it('does not count a file whose content is the same', async () => {
    const path = write('a.csv', `${HEADER}d,2020-01-01,1,\n`);
    await runBatch(connection, folder);
    touch(path);
    expect(await runBatch(connection, folder)).toMatchObject({ files: { counted: 0, unchanged: 1 } });
    expect(await query(connection, 'SELECT modified FROM batch_files')).toEqual([
      { modified: Math.round(statSync(path).mtimeMs * 1000) },
    ]);
  });

  it('counts a changed file alone, forgets a removed one, and merges what they share', async () => {
    const a = write('a.csv', `${HEADER}d,2020-01-01,1,\n`);
    write('b.csv', `${HEADER}d,2020-01-01,3,\ne,2020-01-01,8,\n`);
    const c = write('c.csv', `${HEADER}d,2020-01-01,100,\nf,2020-01-01,1,\nf,bad,1,\n`);
    await runBatch(connection, folder);
    writeFileSync(a, `${HEADER}d,2020-01-01,5,\nd,2020-01-01,7,\n`);
    touch(a);
    rmSync(c);
    expect(await runBatch(connection, folder)).toMatchObject({
      files: { counted: 1, unchanged: 1, removed: 1 },
      rows: 2,
      results: 2,
    });
    expect(await results()).toEqual([
      {
        device_id: 'd',
        day: '2020-01-01',
        sensor: 'temperature',
        avg: 5,
        min: 3,
        max: 7,
        stddev: 2,
        count: 3,
      },
      {
        device_id: 'e',
        day: '2020-01-01',
        sensor: 'temperature',
        avg: 8,
        min: 8,
        max: 8,
        stddev: null,
        count: 1,
      },
    ]);
    expect(await rejected()).toEqual([]);
  });

  it('keeps other folders as they are', async () => {
    const other = `${folder}-other`;
    mkdirSync(other);
    writeFileSync(join(other, 'a.csv'), `${HEADER}d,2020-01-01,1,\n`);
    write('a.csv', `${HEADER}d,2020-01-01,3,\n`);
    await runBatch(connection, other);
    await runBatch(connection, folder);
    expect(await results()).toEqual([expect.objectContaining({ avg: 2, count: 2 })]);
    renameSync(join(folder, 'a.csv'), join(folder, 'renamed.csv'));
    expect(await runBatch(connection, folder)).toMatchObject({ files: { counted: 1, removed: 1 } });
    expect(await results()).toEqual([expect.objectContaining({ avg: 2, count: 2 })]);
  });
});

describe('splitting rows over files', () => {
  it('gives the same result as one file', async () => {
    const row = fc.record({
      device: fc.constantFrom('a', 'b'),
      day: fc.integer({ min: 1, max: 2 }),
      value: fc.oneof(
        fc.double({ min: -1e6, max: 1e6, noNaN: true }),
        fc.double({ min: 1e9, max: 1e9 + 1, noNaN: true }),
      ),
      file: fc.nat(3),
    });
    const outcome = () =>
      query(
        connection,
        'SELECT device_id, day, sensor, avg, min, max, stddev, count FROM batch_analysis_results ORDER BY ALL',
      );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 60 }), async (rows) => {
        const line = ({ device, day, value }: (typeof rows)[number]) =>
          `${device},2020-01-0${day},${value}\n`;
        const header = 'device_id,timestamp,v\n';
        rmSync(folder, { recursive: true, force: true });
        mkdirSync(folder);
        write('all.csv', header + rows.map(line).join(''));
        await runBatch(connection, folder);
        const one = await outcome();
        rmSync(join(folder, 'all.csv'));
        for (let file = 0; file < 4; file += 1) {
          write(
            `${file}.csv`,
            header +
              rows
                .filter((part) => part.file === file)
                .map(line)
                .join(''),
          );
        }
        await runBatch(connection, folder);
        const other = await outcome();
        expect(other.length).toBe(one.length);
        one.forEach((expected, index) => {
          const found = other[index]!;
          expect(found).toMatchObject({ ...expected, avg: found['avg'], stddev: found['stddev'] });
          expectClose(found['avg'], expected['avg'], 1e-9);
          expectClose(found['stddev'], expected['stddev'], 1e-6);
        });
      }),
      { numRuns: 8 },
    );
  }, 20_000);
});

/** Equal but for rounding; `null` only with `null`. */
function expectClose(found: unknown, expected: unknown, relative: number): void {
  if (expected === null) {
    expect(found).toBeNull();
    return;
  }
  expect(Math.abs(Number(found) - Number(expected))).toBeLessThanOrEqual(
    relative * Math.max(1, Math.abs(Number(expected))),
  );
}
