import { join, resolve } from 'node:path';
import { type DuckDBDataChunk, type DuckDBValue } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../../contracts/errors';
import { ROW_LIMITS } from '../../contracts/limits';
import { sensorsOf, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type Parameters } from '../database/connection';
import { DEVICES_FILE, readDevices } from './devices';
import { FileCounter } from './file-counter';
import {
  isMissing,
  openReadings,
  readingsIn,
  readingsOf,
  type ReadingsFile,
  type Sensor,
} from './readings-file';

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
 * The past in a folder of readings, which the batch path reads too: means by device and window, in batches, file by file, sorted
 * by device and time within a file. Broken rows, and files that cannot be read or do not have the target, are skipped (the batch
 * path reports them); a folder that is missing has no past.
 * @throws FedloopError `InvalidData` when the folder is there and cannot be read; `WarehouseFailed` when a file does not fit in memory and on disk.
 */
export async function* readProcessedWindows(
  folder: string,
  task: Task,
): AsyncGenerator<readonly ProcessedWindow[]> {
  const path = resolve(folder);
  const files = (await isMissing(path)) ? [] : await readingsIn(path);
  if (files.length === 0) return;
  const counter = await FileCounter.open();
  try {
    for (const name of files)
      for await (const chunk of chunksOf(counter, join(path, name), task)) yield windowsOf(chunk);
  } finally {
    await counter.close();
  }
}

/** Chunk by chunk as DuckDB makes them: the past of a large fleet is tens of millions of rows, too many for memory. */
async function* chunksOf(
  { connection }: FileCounter,
  path: string,
  task: Task,
): AsyncGenerator<DuckDBDataChunk> {
  try {
    const file = await openReadings(connection, path);
    if (typeof file === 'string') return;
    const query = windowsQuery(file, task);
    if (query !== undefined) yield* connection.stream(...query);
  } catch (cause) {
    // A file that cannot be read is skipped here; the batch path reports why. One that is too large must not count as empty.
    if (!messageOf(cause).startsWith('Out of Memory')) return;
    throw new FedloopError('WarehouseFailed', `${path} is too large to be read: ${messageOf(cause)}`, {
      hint: 'Split it by device into several files.',
      cause,
    });
  }
}

/** The columns of `ProcessedWindow`, in its order; undefined where the file does not have the target. */
function windowsQuery(file: ReadingsFile, task: Task): [sql: string, parameters: Parameters] | undefined {
  const readings = readingsOf(file, false);
  const [target, ...covariates] = sensorsOf(task).map((sensor) => columnOf(file.sensors, sensor));
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
