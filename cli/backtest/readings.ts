import { stat } from 'node:fs/promises';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { FedloopError } from '../../core/contracts/errors';
import { type Sensors, sensorsOf } from '../../core/contracts/task';
import { MICROS_PER_MILLI, type Micros } from '../../core/contracts/time';
import { dataFilesIn, readFiles, valuesOf } from '../../fleet/reading-table';

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
  /** Median absolute change of the target's mean from one window of this length to the next; null where there is none. */
  medianChange(windowMicros: Micros): Promise<number | null>;
  /** Every reading as a canonical event, oldest first. */
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
      medianChange: (windowMicros) => medianChange(connection, sensors, windowMicros),
      events: () => eventsOf(connection, sensors),
      close,
    };
  } catch (cause) {
    close();
    throw cause;
  }
}

async function medianChange(
  connection: DuckDBConnection,
  { target }: Sensors,
  windowMicros: Micros,
): Promise<number | null> {
  const [[median] = []] = await valuesOf(
    connection,
    `WITH means AS (SELECT device_id, micros // ${windowMicros} AS number, avg("${target.sensor}") AS mean FROM readings GROUP BY ALL),
     changes AS (SELECT abs(mean - lag(mean) OVER device) AS change, number - lag(number) OVER device AS apart FROM means
       WINDOW device AS (PARTITION BY device_id ORDER BY number))
     SELECT median(change) FROM changes WHERE apart = 1`,
  );
  return typeof median === 'number' ? median : null;
}

async function* eventsOf(connection: DuckDBConnection, sensors: Sensors): AsyncGenerator<Uint8Array> {
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
      const event: Record<string, unknown> = {
        device_id: ids[row],
        timestamp: Number(times[row]) / MICROS_PER_MILLI,
      };
      names.forEach((name, sensor) => (event[name] = values[sensor]?.[row] ?? null));
      yield Buffer.from(JSON.stringify(event));
    }
  }
}
