import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_TASK, sensorsOf } from '../../../core/contracts/task';
import { emptyEvent } from '../../../core/stream/parse/event';
import { EventParser } from '../../../core/stream/parse/parse';
import { runBatch } from '../../../core/warehouse/batch/run-batch';
import { readProcessedWindows } from '../../../core/warehouse/batch/processed-windows';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { query, temporaryFolder } from '../warehouse/helpers';

/** What stream, batch path and a site's past make of the same readings: which of them count. */
interface Reading {
  readonly device_id: string;
  readonly temperature: number;
}

const folder = temporaryFolder();
let warehouse: Warehouse;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
});
afterEach(async () => {
  await warehouse.close();
});
afterAll(() => {
  folder.remove();
});

function countedByStream(readings: readonly Reading[]): string[] {
  const parser = new EventParser(DEFAULT_TASK);
  const event = emptyEvent(sensorsOf(DEFAULT_TASK).length);
  return readings
    .filter((reading) => {
      const detail = parser.parse(Buffer.from(JSON.stringify({ timestamp: 0, ...reading })), event);
      expect([undefined, 'bad-device-id', 'bad-temperature']).toContain(detail);
      return detail === undefined;
    })
    .map(({ device_id }) => device_id);
}

function writeCsv(readings: readonly Reading[]): void {
  const rows = readings.map(
    ({ device_id, temperature }) => `${device_id},1970-01-01T00:00:00Z,${temperature}\n`,
  );
  writeFileSync(join(folder.path, 'readings.csv'), `device_id,timestamp,temperature\n${rows.join('')}`);
}

async function countedByBatch(readings: readonly Reading[]): Promise<unknown[]> {
  writeCsv(readings);
  const connection = await warehouse.connect();
  const batch = await runBatch(connection, folder.path);
  const counted = await query(connection, 'SELECT device_id FROM batch_analysis_results');
  expect(batch.rejectedRows).toBe(readings.length - counted.length);
  return counted.map(({ device_id }) => device_id);
}

async function countedAsPast(readings: readonly Reading[]): Promise<string[]> {
  writeCsv(readings);
  const devices: string[] = [];
  for await (const windows of readProcessedWindows(folder.path, DEFAULT_TASK))
    devices.push(...windows.map(({ deviceId }) => deviceId));
  return devices;
}

describe('stream, batch path and a site’s past', () => {
  it.each([
    ['ASCII', 'x'],
    ['of two bytes each', 'ж'],
    ['of two UTF-16 units each', '🌡'],
  ])('take a device id of 256 characters %s, and none of 257', async (_, character) => {
    const longest = character.repeat(256);
    const readings = [longest, character.repeat(257)].map((device_id) => ({ device_id, temperature: 1 }));
    expect(countedByStream(readings)).toEqual([longest]);
    expect(await countedByBatch(readings)).toEqual([longest]);
    expect(await countedAsPast(readings)).toEqual([longest]);
  });

  it('take readings of up to 1e150, and none beyond', async () => {
    const readings = [
      { device_id: 'largest', temperature: 1e150 },
      { device_id: 'smallest', temperature: -1e150 },
      { device_id: 'larger', temperature: 1.000001e150 },
      { device_id: 'smaller', temperature: -1.000001e150 },
    ];
    const good = ['largest', 'smallest'];
    expect(countedByStream(readings).sort()).toEqual(good);
    expect((await countedByBatch(readings)).sort()).toEqual(good);
    expect((await countedAsPast(readings)).sort()).toEqual(good);
  });
});
