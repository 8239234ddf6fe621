import { stat } from 'node:fs/promises';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { FedloopError } from '../../core/contracts/errors';
import { type SensorName, type Sensors, sensorsOf } from '../../core/contracts/task';
import { MICROS_PER_MILLI, type Micros } from '../../core/contracts/time';
import { type MappedReading } from '../../core/ingest/readings';
import { dataFilesIn, readFiles, valuesOf } from '../../fleet/reading-table';

/** Values in the task's order, NaN where a sensor has none. */
export type RecordedReading = Pick<MappedReading, 'deviceId' | 'micros' | 'values'>;

/** Recorded readings in a database of their own, in memory. */
export interface RecordedReadings {
  /** Readings with a device, a time and a target; rows that lack one. */
  readonly rows: number;
  readonly unreadable: number;
  readonly devices: number;
  readonly from: Micros;
  readonly until: Micros;
  /** Median spacing of a device's readings. */
  readonly spacing: Micros;
  /** Every reading, oldest first. */
  readings(): AsyncIterable<RecordedReading>;
  /** The same as canonical events. */
  events(): AsyncIterable<Uint8Array>;
  close(): void;
}

/**
 * Read a file or a folder of CSV, CSV.gz or Parquet.
 * @throws FedloopError `InvalidData` for what cannot be read, and where no device has two readings.
 */
export async function readRecorded(path: string, sensors: Sensors): Promise<RecordedReadings> {
  const found = await stat(path).catch(() => undefined);
  const files = found?.isFile() === true ? [path] : await dataFilesIn(path);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const close = (): void => {
    connection.closeSync();
    instance.closeSync();
  };
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const unreadable = await readFiles(connection, files, { directory: path, sensors });
    const [[rows, devices, from, until] = []] = await valuesOf(
      connection,
      'SELECT count(*), count(DISTINCT device_id), min(micros), max(micros) FROM readings',
    );
    const [[spacing] = []] = await valuesOf(
      connection,
      `SELECT median(spacing) FROM (SELECT micros - lag(micros) OVER (PARTITION BY device_id ORDER BY micros) AS spacing
       FROM readings) WHERE spacing > 0`,
    );
    if (spacing === null || spacing === undefined)
      throw new FedloopError('InvalidData', `no device in ${path} has two readings at different times`, {
        hint: 'Give longer recordings; readings of one device belong together by their device_id.',
      });
    return {
      rows: Number(rows),
      unreadable,
      devices: Number(devices),
      from: Number(from),
      until: Number(until),
      spacing: Math.round(Number(spacing)),
      readings: () => readingsOf(connection, sensors),
      async *events() {
        const names = sensorsOf(sensors);
        for await (const reading of readingsOf(connection, sensors)) yield eventOf(reading, names);
      },
      close,
    };
  } catch (cause) {
    close();
    throw cause;
  }
}

async function* readingsOf(connection: DuckDBConnection, sensors: Sensors): AsyncGenerator<RecordedReading> {
  const names = sensorsOf(sensors);
  const columns = names.map((name) => `"${name}"`).join(', ');
  const result = await connection.stream(
    `SELECT device_id, CAST(micros AS DOUBLE), ${columns} FROM readings ORDER BY micros, device_id`,
  );
  for (
    let chunk = await result.fetchChunk();
    chunk !== null && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    const [ids = [], times = [], ...values] = chunk.getColumns();
    for (let row = 0; row < chunk.rowCount; row += 1) {
      const own = values.map((column) => Number(column[row] ?? NaN));
      yield { deviceId: String(ids[row]), micros: Number(times[row]), values: own };
    }
  }
}

/** A reading as a canonical event; JSON has no NaN, and a sensor without a value is null. */
function eventOf({ deviceId, micros, values }: RecordedReading, names: readonly SensorName[]): Uint8Array {
  const event: Record<string, unknown> = { device_id: deviceId, timestamp: micros / MICROS_PER_MILLI };
  names.forEach((name, sensor) => (event[name] = values[sensor]));
  return Buffer.from(JSON.stringify(event));
}
