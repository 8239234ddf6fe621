import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type DuckDBDataChunk, type DuckDBValue } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../../contracts/errors';
import { ROW_LIMITS } from '../../contracts/limits';
import { sensorsOf as sensorsOfTask, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type Parameters } from '../database/connection';
import { DEVICES_FILE, readDevices } from './devices';
import { FileCounter } from './file-counter';
import { layoutOf, readingsOf, sensorsOf, type Sensor, type Source } from './readings-file';

/** Means of a device's readings in one window, in the sensors' units; covariates in the task's order. */
export interface ProcessedWindow {
  readonly deviceId: string;
  readonly windowStart: Micros;
  readonly target: number;
  readonly covariates: readonly (number | null)[];
}

/** Slot of each device that `devices.csv` in the folder names; empty without such a file. */
export async function readDeviceSlots(folder: string): Promise<Map<string, string>> {
  const entries = await readDevices(join(folder, DEVICES_FILE));
  return new Map(entries.map(({ deviceId, slot }) => [deviceId, slot]));
}

/**
 * The past as a folder of readings tells it (`*.csv`, `*.csv.gz`, `*.parquet`, as the batch path reads them): means by device
 * and window, in batches, file by file, sorted by device and time within a file. Broken rows, and files that cannot be read
 * or do not have the target, are passed over (the batch path reports them); a folder that is missing has no past.
 * @throws FedloopError `InvalidData` when the folder is there and cannot be read; `WarehouseFailed` when a file does not fit in memory and on disk.
 */
export async function* readProcessedWindows(
  folder: string,
  task: Task,
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
      for await (const chunk of chunksOf(counter, join(path, name), task)) yield windowsOf(chunk);
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
  task: Task,
): AsyncGenerator<DuckDBDataChunk> {
  try {
    const layout = await layoutOf(connection, path);
    if (typeof layout === 'string') return;
    const sensors = await sensorsOf(connection, path, layout);
    const query = windowsQuery(readingsOf(path, layout, sensors, false), sensors, task);
    if (query !== undefined) yield* connection.stream(...query);
  } catch (cause) {
    // What cannot be read is passed over here; the batch path says why. A past that is too large must not pass for none.
    if (!messageOf(cause).startsWith('Out of Memory')) return;
    throw new FedloopError('WarehouseFailed', `${path} is too large to be read: ${messageOf(cause)}`, {
      hint: 'Split it by device into several files.',
      cause,
    });
  }
}

/** The columns of `ProcessedWindow`, in its order; undefined where the file does not have the target. */
function windowsQuery(
  readings: Source,
  sensors: readonly Sensor[],
  task: Task,
): [sql: string, parameters: Parameters] | undefined {
  const [target, ...covariates] = sensorsOfTask(task).map((sensor) => columnOf(sensors, sensor));
  if (target === undefined || target === null) return undefined;
  const start = '(epoch_us(timestamp) - ((epoch_us(timestamp) % $window) + $window) % $window)::DOUBLE';
  const means = covariates.map((column, index) => `, ${meanOf(column)} AS covariate${index}`);
  return [
    `SELECT device_id, ${start} AS window_start, avg(${target}) AS target${means.join('')}
     FROM ${readings.sql}
     WHERE device_id <> '' AND length(device_id) <= ${ROW_LIMITS.deviceIdCharacters} AND timestamp IS NOT NULL
       AND abs(${target}) <= ${ROW_LIMITS.reading}
     GROUP BY ALL ORDER BY ALL`,
    { ...readings.parameters, window: BigInt(task.windowMicros) },
  ];
}

function windowsOf(chunk: DuckDBDataChunk): ProcessedWindow[] {
  const [devices = [], starts = [], targets = [], ...covariates] = chunk.getColumns();
  return devices.map((device, row) => ({
    deviceId: String(device),
    windowStart: Number(starts[row]),
    target: Number(targets[row]),
    covariates: covariates.map((means) => numberOrNull(means[row])),
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
  return column === null
    ? 'NULL::DOUBLE'
    : `avg(${column}) FILTER (WHERE abs(${column}) <= ${ROW_LIMITS.reading})`;
}
