import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { mappingOf } from '../../../cli/history/choose-mapping';
import { importHistory } from '../../../cli/history/import';
import { ReadingsCollector } from '../../../cli/history/collect';
import { historyFiles, openHistoryFile } from '../../../cli/history/rows';
import { Tally } from '../../../cli/history/tally';
import { type HistoryWindow, type LivePartition, PartitionHistory } from '../../../cli/history/windows';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../../core/contracts/settings';
import { DEFAULT_SOURCE, type Source, sourceSchema } from '../../../core/contracts/source';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { TOPICS } from '../../../core/contracts/topics';
import { type Kafka } from '../../../core/platform/kafka';
import { FileCounter } from '../../../core/warehouse/batch/file-counter';
import { MemoryKafka } from '../fleet/memory-kafka';

const W = DEFAULT_TASK.windowMicros;
const NOTHING_LIVE: LivePartition = { closedUntil: -Infinity, hasRow: () => false };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-history-'));
});
afterAll(() => rm(folder, { recursive: true }));

interface Read {
  readonly tally: Tally;
  readonly windows: readonly HistoryWindow[];
  readonly used: number;
  readonly duplicates: number;
}

async function read(
  name: string,
  text?: string,
  {
    settings = DEFAULT_STREAM_SETTINGS,
    source = DEFAULT_SOURCE,
    wide,
  }: { readonly settings?: StreamSettings; readonly source?: Source; readonly wide?: string } = {},
): Promise<Read> {
  if (text !== undefined) await writeFile(join(folder, name), text);
  const counter = await FileCounter.open();
  try {
    const collector = await ReadingsCollector.open(counter.connection, settings, Date.UTC(2030, 0) * 1_000);
    const tally = new Tally(collector);
    const file = await openHistoryFile(join(folder, name), counter.connection);
    const mapping = mappingOf(file, source, settings.task, wide);
    for await (const row of file.rows()) await tally.take(row, mapping);
    const counts = await collector.dropDuplicates();
    const windows: HistoryWindow[] = [];
    for await (const some of collector.windows()) windows.push(...some);
    return { tally, windows, ...counts };
  } finally {
    await counter.close();
  }
}

const HEADER = 'device_id,timestamp,temperature,humidity,pressure';

describe('files of a fleet’s past', () => {
  it('become means by device and window, of each reading once', async () => {
    const { windows, used, duplicates } = await read(
      'a.csv',
      `${HEADER}
a,2020-01-01T00:00:00Z,20,40,
a,2020-01-01T00:00:10Z,22,,
a,2020-01-01T00:00:10Z,99,,
a,2020-01-01T00:00:30Z,5,NA,1000
b,2020-01-01T00:00:00Z,1,2,3
`,
    );
    const start = Date.UTC(2020, 0) * 1_000;
    expect({ used, duplicates }).toEqual({ used: 4, duplicates: 1 });
    expect(windows).toEqual([
      { deviceId: 'a', start, target: 21, covariates: [40, null], variance: 2 },
      { deviceId: 'a', start: start + W, target: 5, covariates: [null, 1000], variance: null },
      { deviceId: 'b', start, target: 1, covariates: [2, 3], variance: null },
    ]);
  });

  it('name the file, the line and the reason of each row that is not used', async () => {
    const target = { ...DEFAULT_TASK.target, min: -50, missing: [-999] };
    const settings = { ...DEFAULT_STREAM_SETTINGS, task: { ...DEFAULT_TASK, target } };
    const { tally, used } = await read(
      'b.csv',
      `${HEADER}
a,yesterday,20,,
a,2020-01-01T00:00:00Z,20
,2020-01-01T00:00:00Z,20,,
a,2020-01-01T00:00:00Z,-999,,
a,2020-01-01T00:00:00Z,-51,,
a,1970-01-01T00:00:00Z,20,,
a,2040-01-01T00:00:00Z,20,,
a,2020-01-01T00:00:00Z,20,wet,
`,
      { settings },
    );
    expect(used).toBe(1);
    expect(tally.readings).toBe(8);
    expect([...tally.rejected].map(([reason, { count, first }]) => [reason, count, first?.line])).toEqual([
      ['bad-timestamp', 1, 2],
      ['bad-row', 1, 3],
      ['missing-device-id', 1, 4],
      ['sentinel-value', 1, 5],
      ['out-of-range', 1, 6],
      ['implausible-time', 1, 7],
      ['future', 1, 8],
    ]);
  });

  it('may have semicolons, decimal commas and columns by other names', async () => {
    const source = sourceSchema.parse({
      fields: { device_id: '/pump', timestamp: { path: '/at', unit: 's' }, temperature: '/degrees' },
    });
    const { windows } = await read('c.csv', 'pump;at;degrees\np1;1577836800;21,5\n', { source });
    expect(windows).toMatchObject([{ deviceId: 'p1', target: 21.5 }]);
  });

  it('may tell times in milliseconds, as events do', async () => {
    const { windows, tally } = await read(
      'ms.csv',
      'device_id,timestamp,temperature\n7,1577836800000,20\n7,1577836800,30\n',
    );
    expect(windows).toMatchObject([{ deviceId: '7', start: Date.UTC(2020, 0) * 1_000, target: 20 }]);
    expect([...tally.rejected.keys()]).toEqual(['implausible-time']);
  });

  it('may have one column a device', async () => {
    const { windows } = await read('d.csv', 'timestamp,t_a,t_b\n2020-01-01,1,2\n2020-01-01T00:00:01Z,3,\n', {
      wide: 't_*',
    });
    expect(windows).toMatchObject([
      { deviceId: 'a', target: 2 },
      { deviceId: 'b', target: 2 },
    ]);
  });

  it('may be messages as the fleet sends them', async () => {
    const source = sourceSchema.parse({ fields: { device_id: '/meta/id', temperature: '/v' } });
    const { windows, tally } = await read(
      'e.jsonl',
      '{"meta":{"id":7},"timestamp":"2020-01-01","v":"3"}\n{"v"\n',
      { source },
    );
    expect(windows).toMatchObject([{ deviceId: '7', target: 3 }]);
    expect([...tally.rejected.keys()]).toEqual(['not-json']);
  });

  it('may be Parquet', async () => {
    const path = join(folder, 'p.parquet');
    const counter = await FileCounter.open();
    await counter.connection.run(
      `COPY (SELECT 7 AS device_id, TIMESTAMP '2020-01-01 00:00:01' AS timestamp, 21.5::FLOAT AS temperature
             UNION ALL SELECT 7, NULL, 1) TO '${path}' (FORMAT parquet)`,
    );
    await counter.close();
    const { windows, tally } = await read('p.parquet');
    expect(windows).toMatchObject([{ deviceId: '7', start: Date.UTC(2020, 0) * 1_000, target: 21.5 }]);
    expect([...tally.rejected].map(([reason, { first }]) => [reason, first?.line])).toEqual([
      ['missing-timestamp', 2],
    ]);
  });

  it('are refused where a table lacks what a reading needs', async () => {
    await expect(read('f.csv', 'id,timestamp\na,2020-01-01\n')).rejects.toThrow(
      'f.csv has no column device_id, no temperature; its columns are id, timestamp',
    );
    await writeFile(join(folder, 'g.txt'), '');
    await expect(historyFiles(join(folder, 'g.txt'))).rejects.toMatchObject({ code: 'InvalidData' });
  });
});

const mean = (deviceId: string, window: number, target = window): HistoryWindow => ({
  deviceId,
  start: window * W,
  target,
  covariates: [null, 50],
  variance: 4,
});

function history(windows: readonly HistoryWindow[], options: Partial<History> = {}): PartitionHistory {
  const { depth = 10, before = [], live = NOTHING_LIVE } = options;
  const one = new PartitionHistory(DEFAULT_TASK, depth, before, live);
  for (const { start } of windows) one.reach(start);
  for (const window of windows) one.add(window);
  return one;
}

interface History {
  readonly depth: number;
  readonly before: NonNullable<ReturnType<PartitionHistory['snapshot']>>;
  readonly live: LivePartition;
}

describe('windows of a history', () => {
  it('are a snapshot with the newest first, and a name that is the hash of its rows', () => {
    const [chunk, ...others] = history([mean('b', 3), mean('a', 1), mean('a', 3)]).snapshot() ?? [];
    expect(others).toEqual([]);
    expect(chunk).toMatchObject({ chunks: 1, last_window_start: 3 * W, window_micros: W });
    expect(chunk?.devices).toEqual([
      {
        device_id: 'a',
        avg: [3, null, 1],
        humidity_avg: [null, null, null],
        pressure_avg: [50, null, 50],
        stddev: 2,
      },
      { device_id: 'b', avg: [3], humidity_avg: [null], pressure_avg: [50], stddev: 2 },
    ]);
    expect(chunk?.snapshot).toMatch(/^[0-9a-f]{64}$/);
  });

  it('that were imported before keep their means, and change nothing', () => {
    const before = history([mean('a', 1), mean('a', 2)]).snapshot() ?? [];
    const again = history([mean('a', 1, 7), mean('a', 2)], { before });
    expect(again.snapshot()).toBeUndefined();
    expect(again.counts).toMatchObject({ found: 2, known: 2, written: 0 });
    const more = history([mean('a', 2, 7), mean('a', 3)], { before }).snapshot();
    expect(more?.[0]?.devices[0]?.avg).toEqual([3, 2, 1]);
  });

  it('give way to live rows, and to those that stream workers are still to write', () => {
    const live: LivePartition = { closedUntil: 5 * W, hasRow: (_, start) => start === 3 * W };
    const { counts } = history(
      [1, 2, 3, 4, 5, 6].map((window) => mean('a', window)),
      { live },
    );
    expect(counts).toEqual({ found: 6, written: 3, known: 0, live: 1, open: 2, old: 0 });
  });

  it('are left out where they are too old', () => {
    const { counts } = history(
      [1, 2, 3, 4].map((window) => mean('a', window)),
      { depth: 2 },
    );
    expect(counts).toMatchObject({ written: 2, old: 2 });
  });

  it('are each counted once, and the same windows always make the same snapshot', () => {
    const windows = fc.uniqueArray(
      fc.record({ device: fc.constantFrom('a', 'b', 'c'), window: fc.integer({ min: -20, max: 20 }) }),
      { selector: ({ device, window }) => `${device}${window}` },
    );
    fc.assert(
      fc.property(windows, windows, fc.integer({ min: -20, max: 20 }), (first, second, closed) => {
        const live: LivePartition = { closedUntil: closed * W, hasRow: (_, start) => start % (4 * W) === 0 };
        const all = second.map(({ device, window }) => mean(device, window));
        const before =
          history(
            first.map(({ device, window }) => mean(device, window)),
            { live },
          ).snapshot() ?? [];
        const imported = history(all, { live, before });
        const { found, ...others } = imported.counts;
        expect(found).toBe(second.length);
        expect(Object.values(others).reduce((sum, count) => sum + count, 0)).toBe(found);
        const snapshot = imported.snapshot();
        expect(history([...all].reverse(), { live, before }).snapshot()).toEqual(snapshot);
        expect(history(all, { live, before: snapshot ?? before }).snapshot()).toBeUndefined();
      }),
    );
  });
});

describe('imports at the same moment', () => {
  const importOf = (kafka: Kafka, name: string, dryRun = false) =>
    importHistory(
      { kafka, settings: DEFAULT_STREAM_SETTINGS, dryRun, now: Date.UTC(2030, 0) },
      { source: DEFAULT_SOURCE, wide: undefined, paths: [join(folder, name)] },
    );
  const broker = (): MemoryKafka =>
    new MemoryKafka(Object.fromEntries(Object.values(TOPICS).map(({ name }) => [name, 1])));

  it('both stay, whichever is written first', async () => {
    for (const device of ['a', 'b', 'c'])
      await writeFile(
        join(folder, `same-${device}.csv`),
        `${HEADER}\n${device},2020-01-01T00:00:00Z,20,40,\n`,
      );
    const memory = broker();
    await importOf(memory, 'same-c.csv');
    // The other one reads, writes and is done after this one has read, and before it writes.
    let isFirst = true;
    const late = Object.assign(Object.create(memory) as MemoryKafka, {
      producer: async () => {
        if (isFirst) await importOf(memory, 'same-b.csv');
        isFirst = false;
        return memory.producer();
      },
    });
    expect((await importOf(late, 'same-a.csv')).windows.written).toBe(1);
    for (const device of ['a', 'b', 'c'])
      expect({ device, ...(await importOf(memory, `same-${device}.csv`, true)).windows }).toMatchObject({
        device,
        written: 0,
        known: 1,
      });
  });

  it('write once where nobody else does', async () => {
    await writeFile(join(folder, 'alone.csv'), `${HEADER}\na,2020-01-01T00:00:00Z,20,40,\n`);
    const memory = broker();
    await importOf(memory, 'alone.csv');
    expect(memory.records(TOPICS.history.name)[0]).toHaveLength(1);
  });
});
