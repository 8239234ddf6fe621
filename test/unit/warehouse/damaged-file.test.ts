import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { FedloopError } from '../../../core/contracts/errors';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { isDamage } from '../../../core/warehouse/database/trouble';

const countRow = z.object({ n: z.int(), longest: z.int() });
const ROWS = 60_000;

jest.setTimeout(30_000);

let folder: string;
/** A file with rows, and the log of rows that came after its last checkpoint. */
let file: Buffer;
let log: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-damaged-'));
  const path = join(folder, 'whole.duckdb');
  const first = await openWarehouse(path);
  await (
    await first.connect()
  ).run(`CREATE TABLE t AS SELECT range AS i, md5(range::VARCHAR) AS s FROM range(${ROWS})`);
  await first.close();
  const second = await openWarehouse(path);
  await (await second.connect()).run(`INSERT INTO t SELECT range, md5(range::VARCHAR) FROM range(500)`);
  copyFileSync(path, join(folder, 'copy'));
  copyFileSync(`${path}.wal`, join(folder, 'copy.wal'));
  await second.close();
  file = readFileSync(join(folder, 'copy'));
  log = readFileSync(join(folder, 'copy.wal'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const damagedAt = (bytes: Buffer, share: number): Buffer => {
  const copy = Buffer.from(bytes);
  const at = Math.floor(bytes.length * share);
  for (let i = at; i < Math.min(at + 512, copy.length); i += 1) copy[i] = (copy[i] ?? 0) ^ 0x5a;
  return copy;
};

/** @returns `ok` when every row can be read, else what was said. */
async function read(bytes: Buffer, wal: Buffer | undefined): Promise<string> {
  const path = join(folder, 'damaged.duckdb');
  rmSync(`${path}.wal`, { force: true });
  writeFileSync(path, bytes);
  if (wal !== undefined) writeFileSync(`${path}.wal`, wal);
  try {
    const warehouse = await openWarehouse(path);
    try {
      const connection = await warehouse.connect();
      const [row] = await connection.rows(
        countRow,
        'SELECT count(*)::INT AS n, max(length(s))::INT AS longest FROM t',
      );
      return row?.n === ROWS + 500 ? 'ok' : `${row?.n ?? 0} rows without a word`;
    } finally {
      await warehouse.close();
    }
  } catch (cause) {
    if (cause instanceof FedloopError) return `${cause.message}. ${cause.hint ?? ''}`;
    return isDamage(String(cause)) ? 'damage, met by the statement that reads it' : String(cause);
  }
}

const SENTENCE =
  /^the warehouse \S+damaged\.duckdb is damaged: .+ Move \S+damaged\.duckdb and \S+\.wal away and start again/;

describe('a damaged warehouse', () => {
  it('is whole where nothing is damaged', async () => {
    expect(await read(file, log)).toBe('ok');
  });

  it.each([
    ['it is empty', () => [Buffer.alloc(0), undefined] as const],
    ['it is another file', () => [Buffer.from('a text\n'.repeat(2_000)), undefined] as const],
    ['its header is damaged', () => [damagedAt(file, 0), log] as const],
    ['it is cut in half', () => [file.subarray(0, file.length / 2), log] as const],
    ['its log is damaged in the middle', () => [file, damagedAt(log, 0.5)] as const],
    ['its log does not begin as one', () => [file, damagedAt(log, 0)] as const],
  ])('says in one sentence what to do when %s', async (_, make) => {
    const [bytes, wal] = make();
    expect(await read(bytes, wal)).toMatch(SENTENCE);
  });

  it('never shows fewer rows without a word, wherever it is damaged', async () => {
    const told = await Promise.resolve([...Array(20).keys()]).then(async (places) => {
      const all: string[] = [];
      for (const place of places) all.push(await read(damagedAt(file, (place + 0.5) / 20), log));
      return all;
    });
    expect(told.filter((said) => said !== 'ok' && !said.includes('damage'))).toEqual([]);
    expect(told.filter((said) => said !== 'ok').length).toBeGreaterThan(5);
  });
});
