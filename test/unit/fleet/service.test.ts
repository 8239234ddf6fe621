import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { historyChunkSchema } from '../../../core/contracts/blocks';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { TOPICS } from '../../../core/contracts/topics';
import { type Fleet } from '../../../fleet/fleet';
import { planFleet } from '../../../fleet/plan';
import { Playback } from '../../../fleet/playback';
import { lastRecords } from '../../../fleet/position';
import { loadFleet, prepareFleet, startFleetService, type FleetService } from '../../../fleet/service';
import { fleetSettingsSchema, type FleetSettings } from '../../../fleet/settings';
import { readEnvironment } from '../../../core/platform/config';
import { silentLogger } from '../../../core/platform/log';
import { createMetrics } from '../../../core/platform/metrics';
import { MemoryKafka } from './memory-kafka';
import { GRID, weather } from './synthetic';
import { DEFAULT_TASK } from '../../../core/contracts/task';

/** A test plays hundreds of windows, in seconds on a busy machine. */
jest.setTimeout(30_000);

const PARTITIONS = 2;
const W = GRID.windowMicros;
const stream = DEFAULT_STREAM_SETTINGS;
const log = silentLogger();
const env = readEnvironment({});
const STREAM = TOPICS.stream.name;

const broker = (): MemoryKafka =>
  new MemoryKafka({
    [STREAM]: PARTITIONS,
    [TOPICS.history.name]: PARTITIONS,
    [TOPICS.windowRequests.name]: 1,
  });
const fleetOf = (changed: Partial<FleetSettings> = {}): Fleet => {
  const settings = fleetSettingsSchema.parse({ devices: 12, seed: 3, ...changed });
  return { plan: planFleet(weather(), settings), grid: GRID, settings, stream };
};
const start = (kafka: MemoryKafka, fleet: Fleet): Promise<FleetService> =>
  startFleetService({
    kafka,
    env,
    settings: fleet.settings,
    stream,
    log,
    registry: createMetrics('test'),
    fleet,
  });
const ask = (kafka: MemoryKafka, windows: number, from: number | null): void => {
  const value = JSON.stringify({ type: 'window-request', id: 'r', windows, from_window: from });
  kafka.append(TOPICS.windowRequests.name, [{ key: 'r', value }]);
};
/** Let everything that is ready run. */
const until = async (done: () => boolean): Promise<void> => {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
};
const played = (service: FleetService, windows: number) => (): boolean =>
  service.status().paused && service.status().position > GRID.liveStart + windows * W;
const valuesIn = (kafka: MemoryKafka): string[][] =>
  kafka.records(STREAM).map((records) => records.map(({ value }) => value!.toString()));
/** What a fleet that was never interrupted would have sent up to a time. */
const uninterrupted = (fleet: Fleet, position: number): string[][] => {
  const playback = new Playback(fleet.plan, fleet.grid, PARTITIONS);
  const events = playback.nextEvents(1e7, position);
  return Array.from({ length: PARTITIONS }, (_, partition) =>
    events.filter((event) => playback.partitionOf(event) === partition).map(({ value }) => value.toString()),
  );
};

describe('a fleet paced by rounds', () => {
  it('sends nothing before it is asked', async () => {
    const kafka = broker();
    const service = await start(kafka, fleetOf());
    await until(() => service.status().paused);
    await service.stop();
    expect(valuesIn(kafka)).toEqual([[], []]);
  });

  it('passes over a request for a window that is too far ahead, at once and after a restart', async () => {
    const kafka = broker();
    const fleet = fleetOf();
    ask(kafka, 1, 4e15);
    for (const windows of [1, 2]) {
      const service = await start(kafka, fleet);
      ask(kafka, windows, null);
      await until(played(service, windows));
      expect(service.status().position).toBeLessThan(GRID.liveStart + 10 * W);
      await service.stop();
    }
  });

  it('passes over requests that each ask for more than the one before, further than it has sent', async () => {
    const kafka = broker();
    for (const ahead of [900, 1_800, 2_700]) ask(kafka, 1, GRID.liveStart + ahead * W);
    const service = await start(kafka, fleetOf({ devices: 4 }));
    await until(played(service, 900));
    await service.stop();
    expect(service.status().position).toBeLessThan(GRID.liveStart + 1_000 * W);
  });

  it('plays what is requested and the watermark, then pauses mid-window', async () => {
    const kafka = broker();
    const fleet = fleetOf();
    const service = await start(kafka, fleet);
    ask(kafka, 3, null);
    await until(played(service, 5));
    const { position, liveWindow } = service.status();
    await service.stop();
    expect(liveWindow).toBe(5);
    expect((position - GRID.liveStart) % W).toBeGreaterThan(0);
    expect(valuesIn(kafka)).toEqual(uninterrupted(fleet, position));
    for (const records of kafka.records(STREAM)) {
      expect(Math.max(...records.map(({ timestampMillis }) => timestampMillis))).toBeGreaterThanOrEqual(
        (GRID.liveStart + 5 * W) / 1_000,
      );
    }
  });

  it('goes on exactly there with the next request', async () => {
    const kafka = broker();
    const fleet = fleetOf();
    const service = await start(kafka, fleet);
    ask(kafka, 1, null);
    await until(played(service, 3));
    ask(kafka, 2, GRID.liveStart + 4 * W);
    await until(played(service, 8));
    const { position } = service.status();
    await service.stop();
    expect(valuesIn(kafka)).toEqual(uninterrupted(fleet, position));
  });

  it('resumes where the topic ends after a restart, and sends nothing twice', async () => {
    const kafka = broker();
    const fleet = fleetOf();
    const first = await start(kafka, fleet);
    ask(kafka, 2, null);
    await until(played(first, 4));
    await first.stop();
    const before = valuesIn(kafka);
    const idle = await start(kafka, fleet);
    await until(() => idle.status().paused);
    await idle.stop();
    expect(valuesIn(kafka)).toEqual(before);
    const second = await start(kafka, fleet);
    ask(kafka, 4, null);
    await until(played(second, 6));
    const { position } = second.status();
    await second.stop();
    expect(valuesIn(kafka)).toEqual(uninterrupted(fleet, position));
  });

  it('passes over a request that is none', async () => {
    const kafka = broker();
    const service = await start(kafka, fleetOf());
    kafka.append(TOPICS.windowRequests.name, [{ key: 'x', value: 'nonsense' }]);
    ask(kafka, 1, null);
    await until(played(service, 3));
    await service.stop();
    expect(valuesIn(kafka).flat().length).toBeGreaterThan(0);
  });

  it('waits a window at most for a partition whose devices are silent', async () => {
    const kafka = broker();
    const fleet = fleetOf();
    const silent = fleet.plan.devices.map((device) => ({
      ...device,
      series: { ...device.series, target: device.series.target.map(() => Number.NaN) },
    }));
    const service = await start(kafka, { ...fleet, plan: { ...fleet.plan, devices: silent } });
    ask(kafka, 1, null);
    await until(played(service, 4));
    await service.stop();
    expect(service.status().position).toBeLessThanOrEqual(GRID.liveStart + 4.2 * W);
  });
});

it('a fleet at a free pace plays on without being asked', async () => {
  const kafka = broker();
  const fleet = fleetOf({ pace: 'free', devices: 4 });
  const service = await start(kafka, fleet);
  await until(() => service.status().liveWindow > 10);
  await service.stop();
  expect(valuesIn(kafka).flat().length).toBeGreaterThan(4 * 12 * 10);
});

it('a fleet that cannot send says so', async () => {
  const kafka = broker();
  const service = await start(
    Object.assign(kafka, {
      producer: () =>
        Promise.resolve({ send: () => Promise.reject(new Error('no')), disconnect: () => Promise.resolve() }),
    }),
    fleetOf(),
  );
  ask(kafka, 1, null);
  await expect(service.failed).rejects.toThrow('no');
  await service.stop();
});

describe('where a fleet stands', () => {
  const event = (
    key: string,
    timestampMillis: number,
  ): { key: string; value: string; partition: number; timestampMillis: number } => ({
    key,
    value: `of ${key}`,
    partition: 0,
    timestampMillis,
  });

  it('is told by the last event of its own, past what others have sent', async () => {
    const kafka = broker();
    kafka.append(STREAM, [event('mine', 1), event('mine', 2), event('stranger', 3)]);
    const last = await lastRecords(kafka, STREAM, new Set(['mine']));
    expect(last).toEqual([{ partition: 0, timestampMillis: 2, value: Buffer.from('of mine') }]);
  });

  it('is the beginning in a topic that is empty, or that only a few others have written to', async () => {
    const kafka = broker();
    expect(await lastRecords(kafka, STREAM, new Set(['mine']))).toEqual([]);
    kafka.append(STREAM, [event('stranger', 3)]);
    expect(await lastRecords(kafka, STREAM, new Set(['mine']))).toEqual([]);
  });

  it('cannot be told from a topic that others have filled', async () => {
    const kafka = broker();
    kafka.append(STREAM, [
      event('mine', 1),
      ...Array.from({ length: 1_000 }, (_, at) => event('stranger', at)),
    ]);
    await expect(lastRecords(kafka, STREAM, new Set(['mine']))).rejects.toThrow(/come from other devices/);
  });
});

describe('before the first live window', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fedloop-fleet-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const settings = (): FleetSettings => {
    const rows = Array.from(
      { length: 3_000 },
      (_, hour) => `a,${new Date(hour * 3_600_000).toISOString()},${10 + (hour % 24)}`,
    );
    writeFileSync(join(folder, 'a.csv'), ['device_id,timestamp,temperature', ...rows].join('\n'));
    return fleetSettingsSchema.parse({ data: folder, devices: 10, liveWindows: 60 });
  };

  it('the past is written to processed/ and the last windows are published, by partition', async () => {
    const kafka = broker();
    const processed = join(folder, 'processed');
    await prepareFleet({
      kafka,
      env: readEnvironment({ FEDLOOP_PROCESSED: processed }),
      settings: settings(),
      stream,
      log,
    });
    expect(readdirSync(processed).sort()).toEqual(['devices.csv', 'history-a.csv', 'truth.json']);
    const chunks = kafka
      .records(TOPICS.history.name)
      .flatMap((records) =>
        records.map(({ value }) => historyChunkSchema(DEFAULT_TASK).parse(JSON.parse(value!.toString()))),
      );
    expect(chunks.flatMap(({ devices }) => devices)).toHaveLength(10);
  });

  it('the grid is that of the stream’s windows, wherever the live start lies', async () => {
    const fleet = await loadFleet({ ...settings(), liveStart: '2024-01-01T03:00:44Z' }, stream, log);
    expect(fleet.grid.liveStart).toBe(GRID.liveStart);
  });

  it('more readings than a window has room for are refused', async () => {
    await expect(loadFleet({ ...settings(), readingsPerWindow: 3_001 }, stream, log)).rejects.toThrow(
      /at most 3000 do/,
    );
  });
});
