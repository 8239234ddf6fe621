import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance, LIST, listValue, VARCHAR, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import {
  microsOfCell,
  microsOfIso,
  microsOfMillis,
  microsOfText,
  timestampOfCell,
  timestampOfColumn,
  timestampTextSchema,
} from '../../../core/contracts/timestamps';
import { emptyEvent } from '../../../core/stream/parse/event';
import { EventParser } from '../../../core/stream/parse/parse';
import { FastParser } from '../../../core/stream/parse/parse-fast';
import { StrictParser } from '../../../core/stream/parse/parse-strict';
import { readProcessedWindows } from '../../../core/warehouse/batch/processed-windows';
import { runBatch } from '../../../core/warehouse/batch/run-batch';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { readFiles } from '../../../fleet/reading-table';
import { BAD, CELLS, NUMBERS, TEXTS, type TimestampCase, type Verdict } from '../../support/timestamps';
import { query, temporaryFolder } from '../warehouse/helpers';

const SENSORS = 3;
const parser = new EventParser(DEFAULT_TASK);
const fast = new FastParser(DEFAULT_TASK);
const strict = new StrictParser(DEFAULT_TASK);
/** Windows of one microsecond: a window's start is then the reading's instant. */
const ONE_MICROSECOND = { ...DEFAULT_TASK, windowMicros: 1 };

const verdictOf = (micros: number): Verdict => (Number.isNaN(micros) ? BAD : micros);
const verdicts = (cases: readonly TimestampCase[]): Verdict[] => cases.map(([, verdict]) => verdict);
const spellings = (cases: readonly TimestampCase[]): string[] => cases.map(([spelling]) => spelling);
/** What each case gets, beside the case, so that a difference names it. */
const answers = (
  cases: readonly TimestampCase[],
  answer: (spelling: string, index: number) => number | string,
) => cases.map(([spelling], index) => [spelling, answer(spelling, index)]);

const folder = temporaryFolder();
let instance: DuckDBInstance;
let duckdb: DuckDBConnection;
beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:');
  duckdb = await instance.connect();
  // A session far from UTC: no answer may follow it.
  await duckdb.run("SET TimeZone = 'Asia/Kolkata'");
});
afterAll(() => {
  duckdb.closeSync();
  instance.closeSync();
  folder.remove();
});

async function querySql(texts: readonly string[], timestamp: string): Promise<Verdict[]> {
  const reader = await duckdb.runAndReadAll(
    `SELECT epoch_us(${timestamp}) FROM (SELECT unnest($texts) AS t)`,
    { texts: listValue([...texts]) },
    { texts: LIST(VARCHAR) },
  );
  return reader.getRows().map(([micros]) => (micros === null ? BAD : Number(micros)));
}

describe('texts', () => {
  it.each(TEXTS)('%j is %s', (text, verdict) => {
    expect(verdictOf(microsOfText(text))).toBe(verdict);
    expect(timestampTextSchema.safeParse(text).success).toBe(verdict !== BAD);
  });

  it('mean the same wherever they stand in a buffer, and whatever was read before', () => {
    const read = (text: string): Verdict => {
      const bytes = Buffer.from(`9${text}9`);
      return verdictOf(microsOfIso(bytes, 1, bytes.length - 1));
    };
    expect(answers(TEXTS, read)).toEqual(TEXTS);
    expect(answers([...TEXTS].reverse(), read)).toEqual([...TEXTS].reverse());
  });

  it('mean the same in an event, on the fast way and on the strict one', () => {
    const event = emptyEvent(SENSORS);
    const bytesOf = (text: string): Buffer =>
      Buffer.from(JSON.stringify({ device_id: 'a', timestamp: text, temperature: 1 }));
    expect(answers(TEXTS, (text) => parser.parse(bytesOf(text), event) ?? event.micros)).toEqual(TEXTS);
    expect(answers(TEXTS, (text) => strict.parse(bytesOf(text), event) ?? event.micros)).toEqual(TEXTS);
    expect(answers(TEXTS, (text) => (fast.parse(bytesOf(text), event) ? event.micros : BAD))).toEqual(TEXTS);
  });

  it('mean the same as the record timestamp of an event that is replayed', () => {
    const event = emptyEvent(SENSORS);
    const read = (text: string): Verdict => {
      const fields = { device_id: 'a', timestamp: 0, temperature: 1, record_timestamp: text };
      const bad = parser.parse(Buffer.from(JSON.stringify(fields)), event);
      expect(bad).toBe(Number.isNaN(microsOfText(text)) ? 'bad-record-timestamp' : undefined);
      return bad === undefined ? event.recordMicros : BAD;
    };
    expect(answers(TEXTS, read)).toEqual(TEXTS);
  });

  it('mean the same in SQL, as a cell and as a column', async () => {
    for (const timestamp of [timestampOfCell('t'), timestampOfColumn('t', 'VARCHAR')]) {
      const found = await querySql(spellings(TEXTS), timestamp);
      expect(answers(TEXTS, (_, index) => found[index] ?? BAD)).toEqual(TEXTS);
    }
  });

  it('agree with Date on every millisecond that both can tell', () => {
    const range = {
      min: new Date('1700-01-01T00:00:00Z'),
      max: new Date('2250-01-01T00:00:00Z'),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        expect(microsOfText(date.toISOString())).toBe(date.getTime() * 1_000);
      }),
    );
  });
});

describe('numbers', () => {
  it.each(NUMBERS)('%s ms is %s', (spelling, verdict) => {
    expect(verdictOf(microsOfMillis(Number(spelling)))).toBe(verdict);
    expect(verdictOf(microsOfCell(spelling))).toBe(verdict);
  });

  it('mean the same in an event, and nothing as a string in it', () => {
    const event = emptyEvent(SENSORS);
    const bytesOf = (timestamp: string): Buffer =>
      Buffer.from(`{"device_id":"a","timestamp":${timestamp},"temperature":1}`);
    expect(answers(NUMBERS, (number) => parser.parse(bytesOf(number), event) ?? event.micros)).toEqual(
      NUMBERS,
    );
    expect(answers(NUMBERS, (number) => strict.parse(bytesOf(number), event) ?? event.micros)).toEqual(
      NUMBERS,
    );
    for (const [number] of NUMBERS) expect(parser.parse(bytesOf(`"${number}"`), event)).toBe(BAD);
  });

  it('mean the same in SQL: as a cell, a text and a double', async () => {
    for (const timestamp of [
      timestampOfCell('t'),
      timestampOfColumn('t', 'VARCHAR'),
      timestampOfColumn('CAST(t AS DOUBLE)', 'DOUBLE'),
    ]) {
      const found = await querySql(spellings(NUMBERS), timestamp);
      expect(answers(NUMBERS, (_, index) => found[index] ?? BAD)).toEqual(NUMBERS);
    }
  });
});

describe('cells of a CSV file', () => {
  it.each(CELLS)('%j is %s', (cell, verdict) => {
    expect(verdictOf(microsOfCell(cell))).toBe(verdict);
  });

  it('mean the same in SQL', async () => {
    const found = await querySql(spellings(CELLS), timestampOfCell('t'));
    expect(answers(CELLS, (_, index) => found[index] ?? BAD)).toEqual(CELLS);
  });
});

describe('files', () => {
  /** A cell that holds a line break is no row of readings to the batch path, and CSV has no NUL. */
  const cells = [...TEXTS, ...NUMBERS, ...CELLS].filter(([text]) => !/[\n\0]/.test(text));
  const directory = join(folder.path, 'processed');
  const file = join(directory, 'a.csv');
  const deviceOf = (index: number): string => `d${String(index).padStart(4, '0')}`;
  const good = cells.flatMap(([, verdict], index) => (verdict === BAD ? [] : [deviceOf(index)]));
  beforeAll(() => {
    mkdirSync(directory);
    const rows = cells.map(([cell], index) => `${deviceOf(index)},"${cell.replaceAll('"', '""')}",1\n`);
    writeFileSync(file, `device_id,timestamp,temperature\n${rows.join('')}`);
  });

  it('are counted by the batch path: every cell either on its day or listed with its line', async () => {
    const warehouse = await openWarehouse(join(folder.path, 'w.duckdb'));
    const connection = await warehouse.connect();
    const batch = await runBatch(connection, directory);
    const counted = await query(connection, 'SELECT device_id, day FROM batch_analysis_results ORDER BY ALL');
    const dayOf = (micros: number): string => new Date(Math.floor(micros / 1_000)).toISOString().slice(0, 10);
    expect(counted).toEqual(
      cells.flatMap(([, verdict], index) =>
        verdict === BAD ? [] : [{ device_id: deviceOf(index), day: dayOf(verdict) }],
      ),
    );
    const listed = await query(connection, 'SELECT line, reason, detail FROM rejected_rows ORDER BY line');
    const detail = 'column 2, timestamp, is neither ISO 8601 nor epoch milliseconds';
    expect(listed).toEqual(
      cells.flatMap(([, verdict], index) =>
        verdict === BAD ? [{ line: index + 2, reason: BAD, detail }] : [],
      ),
    );
    expect(batch).toMatchObject({ rows: good.length, rejectedRows: listed.length });
    await warehouse.close();
  });

  it('are read to the microsecond as the past of a fleet', async () => {
    const found = new Map<string, number>();
    for await (const windows of readProcessedWindows(directory, ONE_MICROSECOND))
      for (const { deviceId, windowStart } of windows) found.set(deviceId, windowStart);
    expect(answers(cells, (_, index) => found.get(deviceOf(index)) ?? BAD)).toEqual(cells);
  });

  it('are read to the microsecond as a recording', async () => {
    const unreadable = await readFiles(duckdb, [file], { directory });
    const found = new Map<string, number>();
    for (const [device, micros] of (await duckdb.runAndReadAll('FROM readings')).getRows())
      found.set(String(device), Number(micros));
    expect(answers(cells, (_, index) => found.get(deviceOf(index)) ?? BAD)).toEqual(cells);
    expect(unreadable).toBe(cells.length - good.length);
  });
});

describe('columns of a Parquet file', () => {
  /** Type, SQL literals of it, what they are. */
  const columns: readonly (readonly [type: string, values: readonly TimestampCase[]])[] = [
    [
      'TIMESTAMP',
      [
        ["TIMESTAMP '2026-01-01 12:00:00.123456'", 1_767_268_800_123_456],
        ["TIMESTAMP '1969-12-31 23:59:59.999999'", -1],
        ["'infinity'", BAD],
        ["TIMESTAMP '2300-01-01'", BAD],
        ["TIMESTAMP '1600-01-01'", BAD],
      ],
    ],
    ['TIMESTAMP_S', [["TIMESTAMP_S '2026-01-01 12:00:00'", 1_767_268_800_000_000]]],
    ['TIMESTAMP_MS', [["TIMESTAMP_MS '1969-12-31 23:59:59.999'", -1_000]]],
    [
      'TIMESTAMP_NS',
      [
        ["TIMESTAMP_NS '2026-01-01 12:00:00.123456789'", 1_767_268_800_123_456],
        ["TIMESTAMP_NS '1969-12-31 23:59:59.9999995'", -1],
        ["TIMESTAMP_NS '1969-12-31 23:59:59.999999'", -1],
      ],
    ],
    [
      'TIMESTAMP WITH TIME ZONE',
      [
        ["TIMESTAMPTZ '2026-01-01 12:00:00+02:00'", 1_767_261_600_000_000],
        ["TIMESTAMPTZ '1969-12-31 18:59:59.5-05'", -500_000],
        ["'-infinity'", BAD],
      ],
    ],
    [
      'DATE',
      [
        ["DATE '2026-01-01'", 1_767_225_600_000_000],
        ["DATE '2300-01-01'", BAD],
        ["DATE '290000-01-01'", BAD],
        ["'infinity'", BAD],
      ],
    ],
    [
      'BIGINT',
      [
        ['1767225600000', 1_767_225_600_000_000],
        ['-1', -1_000],
        ['9007199254741', BAD],
        ['9223372036854775807', BAD],
      ],
    ],
    ['INTEGER', [['2026', 2_026_000]]],
    ['UBIGINT', [['18446744073709551615', BAD]]],
    [
      'DOUBLE',
      [
        ['1767225600000.25', 1_767_225_600_000_250],
        ['-0.0015', -1],
        ["'nan'", BAD],
        ["'-inf'", BAD],
        ['1e300', BAD],
      ],
    ],
    ['FLOAT', [['1.5', 1_500]]],
    ['DECIMAL(18,3)', [['1767225600000.123', 1_767_225_600_000_123]]],
    [
      'VARCHAR',
      [
        ["'2026-01-01T24:00:00+02:00'", 1_767_304_800_000_000],
        ["'1767225600000'", 1_767_225_600_000_000],
        ["' 2026-01-01'", BAD],
        ["'2026-01-01T12:00:00+99:99'", BAD],
        ["''", BAD],
      ],
    ],
    ['BOOLEAN', [['true', BAD]]],
    ['TIME', [["TIME '12:00:00'", BAD]]],
  ];

  it.each(columns)(
    'of %s are read alike by batch, past and recordings, and what is bad is listed',
    async (type, values) => {
      const directory = join(folder.path, type.replaceAll(/\W/g, '-'));
      const file = join(directory, 'a.parquet');
      mkdirSync(directory);
      const rows = values.map(([value], index) => `('d${index}', CAST(${value} AS ${type}), 1.5)`);
      const nobody = `('', CAST(NULL AS ${type}), 1.5), ('x', CAST(NULL AS ${type}), 1.5)`;
      await duckdb.run(
        `COPY (FROM (VALUES ${rows.join(', ')}, ${nobody}) rows(device_id, "timestamp", temperature)) TO '${file}'`,
      );

      const windows = new Map<string, number>();
      for await (const some of readProcessedWindows(directory, ONE_MICROSECOND))
        for (const { deviceId, windowStart } of some) windows.set(deviceId, windowStart);
      expect(answers(values, (_, index) => windows.get(`d${index}`) ?? BAD)).toEqual(values);

      await duckdb.run('DROP TABLE IF EXISTS readings');
      const recorded = new Map<string, number>();
      await readFiles(duckdb, [file], { directory }).catch(() => 0);
      for (const [device, micros] of (await duckdb.runAndReadAll('FROM readings')).getRows())
        recorded.set(String(device), Number(micros));
      expect(recorded).toEqual(windows);

      const warehouse = await openWarehouse(join(directory, 'w.duckdb'));
      const connection = await warehouse.connect();
      const batch = await runBatch(connection, directory);
      const listed = await query(connection, 'SELECT line, reason FROM rejected_rows ORDER BY line');
      expect(listed).toEqual([
        ...values.flatMap(([, verdict], index) =>
          verdict === BAD ? [{ line: index + 1, reason: BAD }] : [],
        ),
        { line: values.length + 1, reason: 'no-device' },
        { line: values.length + 2, reason: BAD },
      ]);
      expect(batch).toMatchObject({ rows: windows.size, rejectedRows: listed.length });
      await warehouse.close();
    },
  );
});

describe('the two grammars, in TypeScript and in SQL', () => {
  /** Good ones with a few changes: characters that stand in times, near them, or where a lenient parser would pass over them. */
  const character = fc.constantFrom(
    ...Array.from('01234567890123456789-:.,TtZz+ /eE\t\n\v\f\r_()\\ \u00a0\u2212１'),
  );
  const all = spellings([...TEXTS, ...NUMBERS, ...CELLS].filter(([, verdict]) => verdict !== BAD));
  const mutation = fc.tuple(
    fc.constantFrom('put', 'drop', 'change', 'splice'),
    fc.nat(40),
    character,
    fc.nat(),
  );
  const near = fc
    .tuple(fc.constantFrom(...all), fc.array(mutation, { minLength: 1, maxLength: 4 }))
    .map(([text, mutations]) =>
      mutations.reduce((before, [how, place, inserted, other]) => {
        const at = place % (before.length + 1);
        if (how === 'splice') return before.slice(0, at) + (all[other % all.length] ?? '').slice(at);
        return (
          before.slice(0, at) + (how === 'drop' ? '' : inserted) + before.slice(how === 'put' ? at : at + 1)
        );
      }, text),
    );

  it('say the same of 20,000 texts that are nearly times', async () => {
    const texts = fc.sample(near, { numRuns: 20_000, seed: 14 });
    const expected = texts.map((text): TimestampCase => [text, verdictOf(microsOfCell(text))]);
    const found = await querySql(texts, timestampOfCell('t'));
    expect(answers(expected, (_, index) => found[index] ?? BAD)).toEqual(expected);
    const share = verdicts(expected).filter((verdict) => verdict !== BAD).length / texts.length;
    expect(share).toBeGreaterThan(0.1);
    expect(share).toBeLessThan(0.9);
  });

  it('say the same of 20,000 numbers in any spelling', async () => {
    const number = fc.oneof(
      fc.double({ min: -1e13, max: 1e13, noNaN: true }).map((value) => JSON.stringify(value)),
      fc.stringMatching(/^-?\d{1,13}(\.\d{1,20})?([eE][+-]?\d{1,2})?$/),
      fc.integer({ min: -9_999_999, max: 9_999_999 }).map((value) => String(value / 2_000)),
    );
    const texts = fc.sample(number, { numRuns: 20_000, seed: 14 });
    const expected = texts.map((text): TimestampCase => [text, verdictOf(microsOfCell(text))]);
    const found = await querySql(texts, timestampOfCell('t'));
    expect(answers(expected, (_, index) => found[index] ?? BAD)).toEqual(expected);
  });
});

describe('a text without a zone', () => {
  it('is UTC, whatever zone the machine is in', () => {
    const script = `
      const { readFileSync } = require('node:fs');
      const { transformSync } = require('@swc/core');
      const Module = require('node:module');
      Module._extensions['.ts'] = (module, file) =>
        module._compile(transformSync(readFileSync(file, 'utf8'), { filename: file, jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } }).code, file);
      const { EventParser } = require('./core/stream/parse/parse.ts');
      const { emptyEvent } = require('./core/stream/parse/event.ts');
      const { isoOfMicros } = require('./core/contracts/time.ts');
      const { DEFAULT_TASK } = require('./core/contracts/task.ts');
      const event = emptyEvent(3);
      const bad = new EventParser(DEFAULT_TASK).parse(Buffer.from(JSON.stringify({ device_id: 'a', timestamp: '2020-06-01T12:00:00', temperature: 1 })), event);
      process.stdout.write(JSON.stringify([bad ?? null, event.micros, isoOfMicros(event.micros), new Date(2020, 5, 1).getTimezoneOffset()]));
    `;
    const root = join(__dirname, '..', '..', '..');
    const run = (zone: string): unknown =>
      JSON.parse(
        execFileSync(process.execPath, ['-e', script], {
          cwd: root,
          env: { ...process.env, TZ: zone },
          encoding: 'utf8',
        }),
      );
    expect(run('Asia/Kolkata')).toEqual([null, 1_591_012_800_000_000, '2020-06-01T12:00:00Z', -330]);
    expect(run('America/St_Johns')).toEqual([null, 1_591_012_800_000_000, '2020-06-01T12:00:00Z', 150]);
  });
});
