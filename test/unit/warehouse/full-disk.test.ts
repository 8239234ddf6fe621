import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os, { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { runBatch } from '../../../core/warehouse/batch/run-batch';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { passesBy } from '../../../core/warehouse/database/trouble';
import { describeWith, MOUNT } from '../../support/requirements';
import { SmallDisk } from '../../support/small-disk';
import { temporaryFolder } from './helpers';

jest.setTimeout(30_000);

const countRow = z.object({ n: z.int() });
/** A few checkpoints of `CHECKPOINT_THRESHOLD`: the last of them has no room beside its log. */
const SMALL = '9m';

describeWith(MOUNT, 'a warehouse on a disk that fills up', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fedloop-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SMALL}`, 'tmpfs', folder]);
  });
  afterEach(() => {
    // Lazily: a test that fails may have left the file open.
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true });
  });

  it('is opened again by itself after a checkpoint that was cut off, and has all that was committed', async () => {
    const warehouse = await openWarehouse(join(folder, 'w.duckdb'));
    await warehouse.admitReaders();
    const connection = await warehouse.connect();
    const other = await warehouse.connect();
    await connection.run('CREATE TABLE t (i BIGINT, s VARCHAR)');
    const insert = (): Promise<void> =>
      connection.transaction((inside) =>
        inside.run('INSERT INTO t SELECT range, uuid()::VARCHAR FROM range(5_000)'),
      );
    const failures: unknown[] = [];
    for (let i = 0; i < 150 && failures.length < 2; i += 1)
      await insert().catch((cause: unknown) => failures.push(cause));
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.every(passesBy)).toBe(true);

    execFileSync('mount', ['-o', 'remount,size=200m', folder]);
    const [before] = await other.rows(countRow, 'SELECT count(*)::INT AS n FROM t');
    await insert();
    const [after] = await other.rows(countRow, 'SELECT count(*)::INT AS n FROM t');
    expect(after?.n).toBe((before?.n ?? 0) + 5_000);
    await warehouse.close();
    const again = await openWarehouse(join(folder, 'w.duckdb'));
    const [kept] = await (await again.connect()).rows(countRow, 'SELECT count(*)::INT AS n FROM t');
    await again.close();
    expect(kept).toEqual(after);
  });

  it('says which disk is full, and what to do, when it cannot even be made', async () => {
    expect(() => {
      writeFileSync(join(folder, 'filler'), Buffer.alloc(30_000_000));
    }).toThrow('ENOSPC');
    await expect(openWarehouse(join(folder, 'w.duckdb'))).rejects.toMatchObject({
      code: 'WarehouseFailed',
      message: `the disk of ${join(folder, 'w.duckdb')} is full`,
      hint: expect.stringContaining('Free space') as unknown,
    });
  });
});

describeWith(MOUNT, 'a temporary folder that is full', () => {
  const root = temporaryFolder();
  let disk: SmallDisk;
  beforeEach(() => {
    disk = SmallDisk.mount(join(root.path, 'small'), 2);
    jest.spyOn(os, 'tmpdir').mockReturnValue(disk.folder);
  });
  afterEach(() => {
    jest.restoreAllMocks();
    disk.unmount();
  });
  afterAll(() => {
    root.remove();
  });

  it('ends a count with a sentence, and what was not counted is the next time', async () => {
    const folder = join(root.path, 'files');
    mkdirSync(folder);
    // A quote that is never closed takes a copy without its line.
    const rows = Array.from(
      { length: 2_000 },
      (_, at) => `d1,2020-01-01T00:00:00.${String(at).padStart(6, '0')}Z,1\n`,
    );
    rows[1_000] = '"d1,2020-01-01T00:00:01Z,1\n';
    writeFileSync(join(folder, 'a.csv'), `device_id,timestamp,temperature\n${rows.join('')}`);
    const warehouse = await openWarehouse(':memory:');
    const connection = await warehouse.connect();
    disk.fill();
    await expect(runBatch(connection, folder)).rejects.toMatchObject({
      code: 'WarehouseFailed',
      message: `the disk of the temporary folder ${disk.folder} is full`,
    });
    disk.free();
    expect(await runBatch(connection, folder)).toMatchObject({
      files: { counted: 1 },
      rows: 1_999,
      rejectedRows: 1,
    });
    await warehouse.close();
  });
});
