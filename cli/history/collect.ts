import {
  BIGINT,
  DOUBLE,
  type DuckDBDataChunk,
  DuckDBDataChunk as Chunk,
  type DuckDBValue,
  VARCHAR,
} from '@duckdb/node-api';
import { z } from 'zod';
import { type MappedReading } from '../../core/ingest/readings';
import { isPlausible } from '../../core/contracts/events';
import { type StreamSettings } from '../../core/contracts/settings';
import { readingFault, type ReadingFault } from '../../core/contracts/task';
import { type Micros } from '../../core/contracts/time';
import { appendChunks } from '../../core/warehouse/database/columns';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { type HistoryWindow } from './windows';

/** Why a reading is not used: no event of the stream with these values would count either. */
export type ReadingReason = 'implausible-time' | 'future' | ReadingFault;

const ROWS_PER_CHUNK = 2_048;
/** Start of a reading's window, before 1970 too. */
const START = 'micros - ((micros % $window) + $window) % $window';
const newestRow = z.object({ device: z.string(), start: z.number() });
const countRow = z.object({ kept: z.int(), used: z.int() });

/** The readings of a history in a DuckDB of its own, which puts to disk what does not fit in memory. */
export class ReadingsCollector {
  private readonly columns: DuckDBValue[][];
  private rows = 0;
  /** Values of covariates that are no readings. */
  droppedValues = 0;

  private constructor(
    private readonly connection: SerialConnection,
    private readonly settings: StreamSettings,
    private readonly latest: Micros,
  ) {
    this.columns = Array.from({ length: 4 + settings.task.covariates.length }, () => []);
  }

  /** @param latest a reading after it is ahead of every clock. */
  static async open(
    connection: SerialConnection,
    settings: StreamSettings,
    latest: Micros,
  ): Promise<ReadingsCollector> {
    const values = settings.task.covariates.map((_, index) => `, v${index + 1} DOUBLE`).join('');
    await connection.run(
      `CREATE TABLE readings(n BIGINT, device VARCHAR, micros BIGINT, v0 DOUBLE${values})`,
    );
    return new ReadingsCollector(connection, settings, latest);
  }

  /** Take one reading. @returns why it is none. */
  async add({ deviceId, micros, values, badValues }: MappedReading): Promise<ReadingReason | undefined> {
    const { task, plausible } = this.settings;
    if (!isPlausible(plausible, micros)) return 'implausible-time';
    if (micros > this.latest) return 'future';
    const [target = NaN, ...covariates] = values;
    const fault = readingFault(task.target, target);
    if (fault !== undefined) return fault;
    this.droppedValues += badValues.length;
    const numbers = covariates.map((value, index) => {
      const sensor = task.covariates[index];
      if (Number.isNaN(value) || sensor === undefined) return null;
      if (readingFault(sensor, value) === undefined) return value;
      this.droppedValues += 1;
      return null;
    });
    [BigInt(this.rows), deviceId, BigInt(micros), target, ...numbers].forEach((value, column) =>
      this.columns[column]?.push(value),
    );
    this.rows += 1;
    if (this.rows % (ROWS_PER_CHUNK * 50) === 0) await this.flush();
    return undefined;
  }

  /**
   * Leave duplicates out, as the deployment has them; the first reading counts.
   * @returns how many readings are used and how many are duplicates.
   */
  async dropDuplicates(): Promise<{ readonly used: number; readonly duplicates: number }> {
    await this.flush();
    const { duplicates } = this.settings;
    const { names } = this;
    const rest = names.map((name) => `, r.${name} AS ${name}`).join('');
    const first = `SELECT device, micros${rest} FROM (SELECT device, micros,
        arg_min({${names.map((name) => `${name}: ${name}`).join(', ')}}, n) AS r FROM readings GROUP BY device, micros)`;
    const distinct = `SELECT DISTINCT device, micros, ${names.join(', ')} FROM readings`;
    await this.connection.run(`CREATE TABLE used AS ${duplicates === 'time' ? first : distinct}`);
    const [count] = await this.connection.rows(
      countRow,
      'SELECT (SELECT count(*) FROM readings) AS kept, (SELECT count(*) FROM used) AS used',
    );
    const { kept = 0, used = 0 } = count ?? {};
    return { used, duplicates: kept - used };
  }

  /** Start of the newest window of each device. */
  newest(): Promise<readonly { readonly device: string; readonly start: Micros }[]> {
    const { windowMicros } = this.settings.task;
    const sql = `SELECT device, max(${START})::DOUBLE AS start FROM used GROUP BY device`;
    return this.connection.rows(newestRow, sql, { window: BigInt(windowMicros) });
  }

  /** Means by device and window, of each device in order of time. */
  async *windows(): AsyncGenerator<readonly HistoryWindow[]> {
    const means = this.names.map((name) => `avg(${name})`).join(', ');
    const sql = `SELECT device, (${START})::DOUBLE AS start, var_samp(v0) AS variance, ${means}
                 FROM used GROUP BY ALL ORDER BY device, start`;
    const window = BigInt(this.settings.task.windowMicros);
    for await (const chunk of this.connection.stream(sql, { window })) yield windowsOf(chunk);
  }

  private get names(): readonly string[] {
    return this.columns.slice(3).map((_, index) => `v${index}`);
  }

  private async flush(): Promise<void> {
    const types = [BIGINT, VARCHAR, BIGINT, ...this.columns.slice(3).map(() => DOUBLE)];
    const chunks: DuckDBDataChunk[] = [];
    const rows = this.columns[0]?.length ?? 0;
    for (let start = 0; start < rows; start += ROWS_PER_CHUNK) {
      const end = Math.min(rows, start + ROWS_PER_CHUNK);
      const chunk = Chunk.create(types, end - start);
      chunk.setColumns(this.columns.map((column) => column.slice(start, end)));
      chunks.push(chunk);
    }
    for (const column of this.columns) column.length = 0;
    await this.connection.alone(({ raw }) => appendChunks(raw, 'readings', chunks));
  }
}

function windowsOf(chunk: DuckDBDataChunk): HistoryWindow[] {
  const [devices = [], starts = [], variances = [], targets = [], ...covariates] = chunk.getColumns();
  return devices.map((device, row) => ({
    deviceId: String(device),
    start: Number(starts[row]),
    variance: numberOrNull(variances[row]),
    target: Number(targets[row]),
    covariates: covariates.map((means) => numberOrNull(means[row])),
  }));
}

function numberOrNull(value: DuckDBValue | undefined): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
