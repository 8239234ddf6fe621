import { DuckDBInstance, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api';
import { FedloopError } from '../core/contracts/errors';
import { DEFAULT_TASK, type SensorName, type Sensors, sensorsOf } from '../core/contracts/task';
import { MAX_SERIES, MAX_SPARSITY, MIN_READINGS_OF_SERIES } from './constants';
import { dataFilesIn, readFiles, valuesOf, type DataFolder } from './reading-table';
import { commonStep, fillShortGaps, type RecordedSeries, type Recording } from './recording';

/** A recording and what had to be left out of it. */
export interface LoadedRecording {
  readonly recording: Recording;
  readonly files: readonly string[];
  /** Rows without a device, a readable time or a finite reading of the target. */
  readonly unreadableRows: number;
  /** Series with too few readings, and those beyond the number held in memory. */
  readonly seriesLeftOut: number;
}

/**
 * Load every CSV (also .csv.gz) and Parquet file of a folder into regular series. The step is the median spacing of the
 * readings (see `commonStep`); a step with several readings takes their mean; gaps of at most two steps are filled on a
 * straight line, longer ones stay NaN, and devices that replay them are silent meanwhile. Timestamps are ISO 8601 (without a
 * zone: UTC) or epoch milliseconds.
 *
 * @throws FedloopError `InvalidData` for a folder that is missing or empty, missing columns, or too few readings.
 */
export async function loadRecording(folder: DataFolder): Promise<LoadedRecording> {
  const files = await dataFilesIn(folder.directory);
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const unreadableRows = await readFiles(connection, files, folder);
    return {
      ...(await regularSeries(connection, folder.directory, folder.sensors ?? DEFAULT_TASK)),
      files,
      unreadableRows,
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** What is known of a series before its values are read; `number` counts all series of the folder in the order of their ids. */
interface FoundSeries {
  readonly id: string;
  readonly number: number;
  readonly count: number;
  readonly from: number;
  readonly until: number;
  readonly spacing: number;
}

async function regularSeries(
  connection: DuckDBConnection,
  directory: string,
  sensors: Sensors,
): Promise<{ readonly recording: Recording; readonly seriesLeftOut: number }> {
  const found = await findSeries(connection);
  const kept = found
    .filter(({ count, spacing }) => count >= MIN_READINGS_OF_SERIES && spacing > 0)
    .slice(0, MAX_SERIES);
  if (kept.length === 0) {
    throw new FedloopError(
      'InvalidData',
      `no series in ${directory} has the ${MIN_READINGS_OF_SERIES} readings at different times that it takes`,
      { hint: 'Give longer recordings; readings of one sensor belong together by their device_id.' },
    );
  }
  const stepMicros = commonStep(kept.map(({ spacing }) => spacing));
  const startMicros = Math.min(...kept.map(({ from }) => from));
  const labelled = Number((await valuesOf(connection, 'SELECT count(label) FROM readings'))[0]?.[0] ?? 0) > 0;
  const byNumber = new Map(
    kept.map((series) => [
      series.number,
      emptySeries(series, startMicros, stepMicros, labelled, sensors.covariates.length),
    ]),
  );
  await fillSeries(connection, byNumber, startMicros, stepMicros, sensorsOf(sensors));
  const series = [...byNumber.values()];
  for (const { target, covariates } of series)
    for (const values of [target, ...covariates]) fillShortGaps(values);
  return { recording: { startMicros, stepMicros, series }, seriesLeftOut: found.length - series.length };
}

async function findSeries(connection: DuckDBConnection): Promise<readonly FoundSeries[]> {
  await connection.run(
    'CREATE TABLE numbers AS SELECT device_id, row_number() OVER (ORDER BY device_id) AS number FROM readings GROUP BY device_id',
  );
  const rows = await valuesOf(
    connection,
    `WITH spaced AS (
       SELECT device_id, micros, micros - lag(micros) OVER (PARTITION BY device_id ORDER BY micros) AS spacing FROM readings)
     SELECT device_id, number, count(DISTINCT micros), min(micros), max(micros), median(spacing) FILTER (spacing > 0)
     FROM spaced JOIN numbers USING (device_id) GROUP BY device_id, number ORDER BY number`,
  );
  return rows.map(([id, number, count, from, until, spacing]) => ({
    id: String(id),
    number: Number(number),
    count: Number(count),
    from: Number(from),
    until: Number(until),
    spacing: Number(spacing ?? 0),
  }));
}

function emptySeries(
  found: FoundSeries,
  startMicros: number,
  stepMicros: number,
  labelled: boolean,
  covariates: number,
): RecordedSeries {
  const { id, count, from, until } = found;
  const stepOf = (at: number): number => Math.round((at - startMicros) / stepMicros);
  const firstStep = stepOf(from);
  const length = stepOf(until) - firstStep + 1;
  if (length > count * MAX_SPARSITY) {
    throw new FedloopError(
      'InvalidData',
      `series ${id} spreads ${count} readings from ${isoOf(from)} to ${isoOf(until)}, far thinner than its own spacing`,
      { hint: 'Look for stray timestamps in it, or take it out of the folder.' },
    );
  }
  const missing = (): Float32Array => new Float32Array(length).fill(Number.NaN);
  return {
    id,
    firstStep,
    target: missing(),
    covariates: Array.from({ length: covariates }, missing),
    label: labelled ? new Uint8Array(length) : null,
  };
}

/** Means by series and grid step, streamed column by column: a folder may hold more rows than fit twice in memory. */
async function fillSeries(
  connection: DuckDBConnection,
  byNumber: ReadonlyMap<number, RecordedSeries>,
  startMicros: number,
  stepMicros: number,
  sensors: readonly SensorName[],
): Promise<void> {
  const means = sensors.map((sensor) => `avg("${sensor}")`).join(', ');
  const result = await connection.stream(`
    SELECT CAST(number AS INTEGER), CAST(round((micros - ${startMicros}) / ${stepMicros}) AS INTEGER) AS step,
      max(coalesce(label, 0)), ${means}
    FROM readings JOIN numbers USING (device_id) GROUP BY ALL`);
  for (
    let chunk = await result.fetchChunk();
    chunk !== null && chunk.rowCount > 0;
    chunk = await result.fetchChunk()
  ) {
    const [numbers = [], steps = [], labels = [], ...values] = chunk.getColumns();
    for (let row = 0; row < chunk.rowCount; row += 1) {
      const series = byNumber.get(numberOf(numbers[row]));
      if (series === undefined) continue;
      const index = numberOf(steps[row]) - series.firstStep;
      for (const [sensor, recorded] of [series.target, ...series.covariates].entries())
        recorded[index] = numberOf(values[sensor]?.[row]);
      if (series.label !== null) series.label[index] = numberOf(labels[row]) === 0 ? 0 : 1;
    }
  }
}

function numberOf(value: DuckDBValue | undefined): number {
  return typeof value === 'number' ? value : Number.NaN;
}

function isoOf(micros: number): string {
  return new Date(micros / 1_000).toISOString();
}
