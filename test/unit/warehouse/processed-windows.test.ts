import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  readDeviceSlots,
  readProcessedWindows,
  type ProcessedWindow,
} from '../../../core/warehouse/batch/processed-windows';
import { ROWS_PER_CHUNK } from '../../../core/warehouse/limits';
import { T0, temporaryFolder, WINDOW } from './helpers';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const folder = temporaryFolder();
afterAll(() => {
  folder.remove();
});

async function all(path: string): Promise<ProcessedWindow[]> {
  const windows: ProcessedWindow[] = [];
  for await (const part of readProcessedWindows(path, DEFAULT_TASK)) windows.push(...part);
  return windows;
}

describe('the past in a folder', () => {
  it('comes whole and sorted when it is more than one chunk holds, and may be left half read', async () => {
    const large = temporaryFolder();
    const devices = 3 * ROWS_PER_CHUNK;
    const rows = Array.from(
      { length: devices },
      (_, device) => `d${devices - device},2020-01-01T00:00:00Z,${device}\n`,
    );
    for (const name of ['a.csv', 'b.csv'])
      writeFileSync(join(large.path, name), `device_id,timestamp,temperature\n${rows.join('')}`);
    const read = await all(large.path);
    expect(read).toHaveLength(2 * devices);
    const first = read.slice(0, devices).map(({ deviceId }) => deviceId);
    expect(first).toEqual([...first].sort());
    for await (const part of readProcessedWindows(large.path, DEFAULT_TASK)) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    large.remove();
  });

  it('comes as means by device and window, sorted, without what is broken', async () => {
    writeFileSync(
      join(folder.path, 'b.csv'),
      'device_id,timestamp,temperature,humidity\n' +
        'e,2020-01-01T00:00:30Z,5,\n' +
        'd,2020-01-01T00:00:29.999Z,3,60\n' +
        'd,2020-01-01T00:00:00Z,1,40\n' +
        'd,2020-01-01T00:00:30Z,nan,40\n' +
        'd,never,1,40\n' +
        'd,1969-12-31T23:59:59Z,7,40\n',
    );
    writeFileSync(join(folder.path, 'c.csv'), 'device_id,timestamp,pressure\nd,2020-01-01,1\n');
    writeFileSync(join(folder.path, 'd.csv'), 'nonsense');
    writeFileSync(join(folder.path, 'e.csv.gz'), 'no gzip');
    writeFileSync(join(folder.path, 'devices.csv'), 'device_id,series,slot\nd,s,4\n');
    expect(await all(folder.path)).toEqual([
      { deviceId: 'd', windowStart: -WINDOW, target: 7, covariates: [40, null] },
      { deviceId: 'd', windowStart: T0, target: 2, covariates: [50, null] },
      { deviceId: 'e', windowStart: T0 + WINDOW, target: 5, covariates: [null, null] },
    ]);
    expect(await readDeviceSlots(folder.path)).toEqual(new Map([['d', '4']]));
  });

  it('is empty where there is no folder', async () => {
    expect(await all(join(folder.path, 'nowhere'))).toEqual([]);
    expect(await readDeviceSlots(join(folder.path, 'nowhere'))).toEqual(new Map());
  });
});
