import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyChunkSchema } from '../../../core/contracts/blocks';
import { fleetTruthSchema, writeHistory } from '../../../fleet/history';
import { planFleet } from '../../../fleet/plan';
import { historySnapshot } from '../../../fleet/snapshot';
import { partitionOf } from '../../../core/platform/kafka';
import { GRID, recordedSeries, weather, withoutPressure } from './synthetic';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const plan = planFleet(weather(2), { seed: 6, devices: 30, liveWindows: 60, scenario: 'everyday' });

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-history-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});
const linesOf = (name: string): string[] => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n');

describe('the past of a fleet', () => {
  it('is one file a series with one reading a device and window, up to the last window before live', async () => {
    await writeHistory(plan, GRID, folder);
    const lines = ['history-town-0.csv', 'history-town-1.csv'].flatMap((name) => linesOf(name).slice(1));
    expect(lines).toHaveLength(30 * 361);
    const own = lines
      .filter((line) => line.startsWith(`${plan.devices[3]!.id},`))
      .map((line) => line.split(',')[1]);
    expect(own[0]).toBe('2024-01-01T00:00:00.000Z');
    expect(own.at(-1)).toBe('2024-01-01T03:00:00.000Z');
    expect(linesOf('history-town-0.csv')[0]).toBe('device_id,timestamp,temperature,humidity,pressure');
  });

  it('leaves out windows that were not recorded, and cells of sensors that are not there', async () => {
    const bare = recordedSeries('bare', (step) => (step % 500 < 15 ? Number.NaN : 20), 9_000);
    const holed = planFleet(
      { ...weather(1), series: [withoutPressure(bare)] },
      { seed: 1, devices: 8, liveWindows: 200 },
    );
    await writeHistory(holed, GRID, folder);
    const lines = linesOf('history-bare.csv').slice(1);
    expect(lines.length).toBeLessThan(8 * 361);
    expect(lines.every((line) => line.endsWith(','))).toBe(true);
  });

  it('writes the same bytes again, and no unfinished file', async () => {
    await writeHistory(plan, GRID, folder);
    const before = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
    await writeHistory(plan, GRID, folder);
    expect(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')])).toEqual(
      before,
    );
    expect(readdirSync(folder).sort()).toEqual([
      'devices.csv',
      'history-town-0.csv',
      'history-town-1.csv',
      'truth.json',
    ]);
  });

  it('clears away the fleet that was there before, and nothing else', async () => {
    await writeHistory(plan, GRID, folder);
    writeFileSync(join(folder, 'history-mine.csv'), 'kept');
    const other = planFleet(
      { ...weather(1), series: [recordedSeries('other', () => 1, 9_000)] },
      { seed: 1, devices: 5, liveWindows: 60 },
    );
    await writeHistory(other, GRID, folder);
    expect(readdirSync(folder).sort()).toEqual([
      'devices.csv',
      'history-mine.csv',
      'history-other.csv',
      'truth.json',
    ]);
  });

  it('tells apart series whose names look alike in a file system', async () => {
    const alike = ['a/b', 'a b'].map((id) => recordedSeries(id, () => 1, 9_000));
    const files = await writeHistory(
      planFleet({ ...weather(1), series: alike }, { seed: 1, devices: 40, liveWindows: 60 }),
      GRID,
      folder,
    );
    expect(new Set(files).size).toBe(2);
  });

  it('tells the truth about every device', async () => {
    await writeHistory(plan, GRID, folder);
    const truth = fleetTruthSchema.parse(JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8')));
    expect(truth.devices.map(({ fault }) => fault)).toEqual(plan.devices.map(({ fault }) => fault));
    expect(linesOf('devices.csv').slice(0, 2)).toEqual([
      'device_id,series,slot',
      `${plan.devices[0]!.id},${plan.devices[0]!.series.id},${plan.devices[0]!.slot}`,
    ]);
  });
});

describe('the snapshot of the last windows', () => {
  const chunks = historySnapshot(plan, GRID, 4);

  it('is what the files say, newest first, each device in its own partition', async () => {
    await writeHistory(plan, GRID, folder);
    const lines = ['history-town-0.csv', 'history-town-1.csv'].flatMap((name) => linesOf(name).slice(1));
    for (const { partition, chunk } of chunks) {
      expect(historyChunkSchema(DEFAULT_TASK).parse(JSON.parse(JSON.stringify(chunk)))).toEqual(chunk);
      expect(chunk.last_window_start).toBe(GRID.liveStart - GRID.windowMicros);
      for (const { device_id, avg } of chunk.devices) {
        expect(partitionOf(device_id, 4)).toBe(partition);
        const own = lines.filter((line) => line.startsWith(`${device_id},`)).slice(-24);
        expect(avg).toEqual(own.map((line) => Number(line.split(',')[2])).reverse());
      }
    }
    expect(chunks.flatMap(({ chunk }) => chunk.devices)).toHaveLength(30);
  });

  it('has one hash that changes with any value', () => {
    expect(new Set(chunks.map(({ chunk }) => chunk.snapshot)).size).toBe(1);
    const other = planFleet(weather(2), { seed: 7, devices: 30, liveWindows: 60 });
    expect(historySnapshot(other, GRID, 4)[0]!.chunk.snapshot).not.toBe(chunks[0]!.chunk.snapshot);
    expect(historySnapshot(plan, GRID, 6)[0]!.chunk.snapshot).not.toBe(chunks[0]!.chunk.snapshot);
    expect(historySnapshot(plan, GRID, 4)).toEqual(chunks);
  });

  it('is never replaced by that of another fleet', () => {
    const other = planFleet(weather(2), { seed: 7, devices: 30, liveWindows: 60 });
    const keys = new Set(chunks.map(({ key }) => key));
    expect(historySnapshot(other, GRID, 4).filter(({ key }) => keys.has(key))).toEqual([]);
  });
});
