import { copyFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { silentLogger } from '../../../core/platform/log';
import { LogWatch } from '../../../core/warehouse/database/log-watch';
import { temporaryFolder } from './helpers';

const folder = temporaryFolder();
let files = 0;
let file: string;
let instance: DuckDBInstance;
let connection: DuckDBConnection;
let checkpoints: number;
let watch: LogWatch;

beforeEach(async () => {
  files += 1;
  file = join(folder.path, `${files}.duckdb`);
  instance = await DuckDBInstance.create(file);
  connection = await instance.connect();
  await connection.run('CREATE TABLE numbers AS SELECT range AS number FROM range(1000)');
  await connection.run('CHECKPOINT');
  checkpoints = 0;
  const checkpoint = (): Promise<unknown> => {
    checkpoints += 1;
    return connection.run('CHECKPOINT');
  };
  watch = new LogWatch({ file, checkpoint, log: silentLogger() });
});
afterEach(() => {
  connection.closeSync();
  instance.closeSync();
});
afterAll(() => {
  folder.remove();
});

const store = (rows: number): Promise<unknown> =>
  connection.run(`INSERT INTO numbers SELECT range FROM range(${rows})`);

/** What is there after the process was killed at this moment. */
async function rowsOnDisk(): Promise<number> {
  const copy = `${file}.copy`;
  copyFileSync(file, copy);
  try {
    copyFileSync(`${file}.wal`, `${copy}.wal`);
  } catch {
    rmSync(`${copy}.wal`, { force: true });
  }
  const opened = await DuckDBInstance.create(copy);
  const reader = await opened.connect();
  const rows = (await reader.runAndReadAll('SELECT count(*)::INTEGER FROM numbers')).getRows();
  reader.closeSync();
  opened.closeSync();
  return Number(rows[0]?.[0]);
}

it.each([
  [
    'removed',
    () => {
      rmSync(`${file}.wal`);
    },
  ],
  [
    'emptied',
    () => {
      truncateSync(`${file}.wal`, 0);
    },
  ],
  [
    'replaced',
    () => {
      writeFileSync(`${file}.new`, 'x'.repeat(10_000));
      rmSync(`${file}.wal`);
      copyFileSync(`${file}.new`, `${file}.wal`);
    },
  ],
])('what a log held that was %s is in the file after a look', async (_, damage) => {
  await store(500);
  await watch.look();
  damage();
  await store(7);
  await watch.look();
  expect(watch.trouble).toBeUndefined();
  expect(checkpoints).toBe(1);
  expect(await rowsOnDisk()).toBe(1_507);
  await store(3);
  expect(await rowsOnDisk()).toBe(1_510);
});

it('what could not be written yet is said, and written by a later look', async () => {
  await store(500);
  const failing = new LogWatch({
    file,
    checkpoint: () => {
      checkpoints += 1;
      return checkpoints === 1 ? Promise.reject(new Error('busy')) : connection.run('CHECKPOINT');
    },
    log: silentLogger(),
  });
  await failing.look();
  rmSync(`${file}.wal`);
  await failing.look();
  expect(failing.trouble).toMatch(/removed or cut off while it is open.*lost when this worker ends/);
  await failing.look();
  expect(failing.trouble).toBeUndefined();
  expect(await rowsOnDisk()).toBe(1_500);
});

it('a log that DuckDB itself ends, with a checkpoint, is none that was cut off', async () => {
  for (let time = 0; time < 20; time += 1) {
    await store(100 + time);
    await watch.look();
    if (time % 2 === 0) await connection.run('CHECKPOINT');
    await watch.look();
  }
  expect(checkpoints).toBe(0);
});

it('a checkpoint that is under way during a look is no deed of somebody', async () => {
  const said: string[] = [];
  const log = Object.assign(silentLogger(), { error: (message: string) => said.push(message) });
  const looking = new LogWatch({ file, checkpoint: () => connection.run('CHECKPOINT'), log });
  await store(500);
  await looking.look();
  await connection.run('CHECKPOINT');
  // Its header is in the file; the log of before is still there.
  writeFileSync(`${file}.wal`, 'x'.repeat(10_000));
  await looking.look();
  rmSync(`${file}.wal`);
  await store(7);
  await looking.look();
  expect(said).toEqual([]);
  expect(await rowsOnDisk()).toBe(1_507);
  // Once that is over, a log that is gone is one that somebody has removed.
  await looking.look();
  await store(8);
  await looking.look();
  rmSync(`${file}.wal`);
  await looking.look();
  expect(said).toHaveLength(1);
  expect(await rowsOnDisk()).toBe(1_515);
});
