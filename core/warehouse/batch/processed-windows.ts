import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type DuckDBDataChunk, type DuckDBValue } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type Micros } from '../../contracts/time';
import { type Parameters } from '../database/connection';
import { DEVICES_FILE, readDevices } from './devices';
import { FileCounter } from './file-counter';
import { MAX_DEVICE_ID_LENGTH, MAX_READING } from '../limits';
import { layoutOf, readingsOf, sensorsOf, type Sensor, type Source } from './readings-file';

/** Mean of a device's readings in one window: temperature in °C, humidity in %, pressure in hPa. */
export interface ProcessedWindow {
  readonly deviceId: string;
  readonly windowStart: Micros;
  readonly avg: number;
  readonly humidity: number | null;
  readonly pressure: number | null;
}

/** Slot of each device that `devices.csv` in the folder names; empty without such a file. */
export async function readDeviceSlots(folder: string): Promise<Map<string, string>> {
  const entries = await readDevices(join(folder, DEVICES_FILE));
  return new Map(entries.map(({ deviceId, slot }) => [deviceId, slot]));
}

/**
 * The past as a folder of readings tells it (`*.csv`, `*.csv.gz`, `*.parquet`, as the batch path reads them): means by device
 * and window, in batches, file by file, sorted by device and time within a file. Broken rows, and files that cannot be read
 * or have no temperature, are passed over (the batch path reports them); a folder that is missing has no past.
 * @throws FedloopError `InvalidData` when the folder is there and cannot be read; `WarehouseFailed` when a file does not fit in memory and on disk.
 */
export async function* readProcessedWindows(
  folder: string,
  windowMicros: Micros,
): AsyncGenerator<readonly ProcessedWindow[]> {
  const path = resolve(folder);
  const names = await readdir(path).catch((cause: unknown) => {
    if (isMissing(cause)) return [];
    throw new FedloopError('InvalidData', `the folder ${path} cannot be read: ${messageOf(cause)}`, {
      cause,
    });
  });
  const files = names.sort().filter((name) => name !== DEVICES_FILE && /\.(csv|csv\.gz|parquet)$/.test(name));
  if (files.length === 0) return;
  const counter = await FileCounter.open();
  try {
    for (const name of files) {
      for await (const chunk of chunksOf(counter, join(path, name), windowMicros)) yield windowsOf(chunk);
    }
  } finally {
    await counter.close();
  }
}

function isMissing(cause: unknown): boolean {
  return typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOENT';
}

/** Chunk by chunk as DuckDB makes them: the past of a large fleet is tens of millions of rows and stands in memory nowhere but in its ring. */
async function* chunksOf(
  { connection }: FileCounter,
  path: string,
  windowMicros: Micros,
): AsyncGenerator<DuckDBDataChunk> {
  try {
    const layout = await layoutOf(connection, path);
    if (typeof layout === 'string') return;
    const sensors = await sensorsOf(connection, path, layout);
    const temperature = columnOf(sensors, 'temperature');
    if (temperature === null) return;
    yield* connection.stream(
      ...windowsQuery(readingsOf(path, layout, sensors, false), sensors, temperature, windowMicros),
    );
  } catch (cause) {
    // What cannot be read is passed over here; the batch path says why. A past that is too large must not pass for none.
    if (!messageOf(cause).startsWith('Out of Memory')) return;
    throw new FedloopError('WarehouseFailed', `${path} is too large to be read: ${messageOf(cause)}`, {
      hint: 'Split it by device into several files.',
      cause,
    });
  }
}

/** The five columns of `ProcessedWindow`, in its order. */
function windowsQuery(
  readings: Source,
  sensors: readonly Sensor[],
  temperature: string,
  windowMicros: Micros,
): [sql: string, parameters: Parameters] {
  const start = '(epoch_us(timestamp) - ((epoch_us(timestamp) % $window) + $window) % $window)::DOUBLE';
  return [
    `SELECT device_id, ${start} AS window_start, avg(${temperature}) AS avg,
            ${meanOf(columnOf(sensors, 'humidity'))} AS humidity, ${meanOf(columnOf(sensors, 'pressure'))} AS pressure
     FROM ${readings.sql}
     WHERE device_id <> '' AND length(device_id) <= ${MAX_DEVICE_ID_LENGTH} AND timestamp IS NOT NULL
       AND abs(${temperature}) <= ${MAX_READING}
     GROUP BY ALL ORDER BY ALL`,
    { ...readings.parameters, window: BigInt(windowMicros) },
  ];
}

function windowsOf(chunk: DuckDBDataChunk): ProcessedWindow[] {
  const [devices = [], starts = [], means = [], humidities = [], pressures = []] = chunk.getColumns();
  return devices.map((device, row) => ({
    deviceId: String(device),
    windowStart: Number(starts[row]),
    avg: Number(means[row]),
    humidity: numberOrNull(humidities[row]),
    pressure: numberOrNull(pressures[row]),
  }));
}

function numberOrNull(value: DuckDBValue | undefined): number | null {
  return typeof value === 'number' ? value : null;
}

/** SQL name of a sensor's column, or null where the file has none. */
function columnOf(sensors: readonly Sensor[], name: string): string | null {
  const index = sensors.findIndex((sensor) => sensor.name.toLowerCase() === name);
  return index < 0 ? null : `s${index}`;
}

function meanOf(column: string | null): string {
  return column === null ? 'NULL::DOUBLE' : `avg(${column}) FILTER (WHERE abs(${column}) <= ${MAX_READING})`;
}
