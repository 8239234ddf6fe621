import { DuckDBInstance, VARCHAR, type DuckDBDataChunk } from '@duckdb/node-api';
import { tmpdir } from 'node:os';
import { z } from 'zod';
import { messageOf } from '../../contracts/errors';
import { ROW_LIMITS } from '../../contracts/limits';
import { machineError, machineTroubleIn } from '../../contracts/machine-trouble';
import { findBrokenRows, type BrokenRow } from './broken-rows';
import { SerialConnection } from '../database/connection';
import { BATCH_MEMORY_LIMIT, MAX_REJECTED_DETAILS_PER_FILE } from '../limits';
import { areFinite, openReadings, readingsOf, type ReadingsFile, type Sensor } from './readings-file';
import { setUnbalancedLinesAside } from './unbalanced-quotes';
import { column } from '../database/values';

/** The count of one file. */
export interface FileCount {
  /** Rows of readings that count. */
  readonly rows: number;
  readonly rejected: number;
  /** The first of them. */
  readonly broken: readonly BrokenRow[];
  /** Rows of `batch_partials`, as native chunks that go into the warehouse untouched. */
  readonly partials: readonly DuckDBDataChunk[];
}

const countRow = z.object({ rows: z.int(), broken: z.int() });
const groupsRow = z.object({ groups: z.int() });
const rejectRow = z.object({
  /** Refused lines in all. */
  lines: z.int(),
  line: z.int(),
  reason: z.string(),
  detail: z.string(),
  raw: z.string(),
});

/** Characters of a message or line that are kept. */
const MAX_EXCERPT = 300;

/**
 * Counts files of readings in a DuckDB of its own, in memory: the warehouse itself can open no other file. One query
 * reads a file once for n, mean, M2 (sum of squared deviations), min and max by device, UTC day and sensor.
 */
export class FileCounter {
  private constructor(
    private readonly instance: DuckDBInstance,
    readonly connection: SerialConnection,
  ) {}

  static async open(): Promise<FileCounter> {
    const instance = await DuckDBInstance.create(':memory:', {
      memory_limit: BATCH_MEMORY_LIMIT,
      preserve_insertion_order: 'false',
    });
    const connection = new SerialConnection(await instance.connect());
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    return new FileCounter(instance, connection);
  }

  async close(): Promise<void> {
    await this.connection.close();
    this.instance.closeSync();
  }

  /**
   * Count one file. A file that cannot be read at all counts as one broken row without a line.
   * @throws FedloopError `WarehouseFailed` where the machine lacks what it takes: that says nothing of the file, which is counted the next time.
   */
  async count(path: string): Promise<FileCount> {
    try {
      const file = await openReadings(this.connection, path);
      return typeof file === 'string' ? unreadable(file) : await this.countReadings(file, path);
    } catch (cause) {
      const trouble = machineTroubleIn(messageOf(cause));
      if (trouble === 'disk-full' || trouble === 'open-files')
        throw machineError(
          'WarehouseFailed',
          cause,
          `the temporary folder ${tmpdir()}`,
          'files cannot be counted',
        );
      return unreadable(firstLineOf(messageOf(cause)));
    }
  }

  /** @param name the file's name in the tables, where `file` is a salvaged copy of it. */
  private async countReadings(file: ReadingsFile, name: string): Promise<FileCount> {
    const isCsv = file.layout.format === 'csv';
    await this.fillChecked(file);
    const [total] = await this.connection.rows(
      countRow,
      `SELECT coalesce(sum(n_rows) FILTER (WHERE device_id IS NOT NULL), 0) AS rows,
              coalesce(sum(n_rows) FILTER (WHERE device_id IS NULL), 0) AS broken FROM counted`,
    );
    const { rows, broken: silent } = total ?? { rows: 0, broken: 0 };
    const refused = isCsv ? await this.refusedRows() : { lines: 0, broken: [] };
    const room = MAX_REJECTED_DETAILS_PER_FILE - refused.broken.length;
    const found = silent === 0 || room <= 0 ? [] : await findBrokenRows(this.connection, file, room);
    const isSalvaged = file.path !== name;
    if (isCsv && !isSalvaged && (await this.hasSwallowedLines([...refused.broken, ...found])))
      return this.countSalvaged(file);
    const known = new Set(refused.broken.map(({ line }) => line));
    const broken = [...refused.broken, ...found.filter(({ line }) => !known.has(line))];
    return {
      rows,
      rejected: refused.lines + silent,
      broken: inOrder(broken),
      partials: await this.partials(name, file.sensors),
    };
  }

  /** No row of readings holds a line break, unless an open quote has swallowed the lines behind it. */
  private async hasSwallowedLines(broken: readonly BrokenRow[]): Promise<boolean> {
    if (broken.some(({ raw }) => raw.trim().includes('\n'))) return true;
    return (await this.groupsWhere('contains(device_id, chr(10))')) > 0;
  }

  private async groupsWhere(condition: string): Promise<number> {
    const sql = `SELECT count(*) AS groups FROM counted WHERE ${condition}`;
    const [found] = await this.connection.rows(groupsRow, sql);
    return found?.groups ?? 0;
  }

  private async countSalvaged(file: ReadingsFile): Promise<FileCount> {
    const salvaged = await setUnbalancedLinesAside(file.path, MAX_REJECTED_DETAILS_PER_FILE);
    try {
      const rest = await this.countReadings({ ...file, path: salvaged.path }, file.path);
      return {
        ...rest,
        rejected: rest.rejected + salvaged.lines,
        broken: inOrder([...rest.broken, ...salvaged.broken]).slice(0, MAX_REJECTED_DETAILS_PER_FILE),
      };
    } finally {
      await salvaged.remove();
    }
  }

  /**
   * Nearly every file holds finite numbers alone, and a check of each would cost as much as counting them: so the file is counted
   * as if it did, and again with guards when a figure contradicts.
   */
  private async fillChecked(file: ReadingsFile): Promise<void> {
    const quick = await this.fillCounted(file, true, false).catch(() => false);
    if (quick && (await this.isFinite(file.sensors))) return;
    try {
      await this.fillCounted(file, true, true);
    } catch (cause) {
      // Line breaks of two kinds in one file, and the like, stop the strict reader as a whole.
      if (file.layout.format !== 'csv') throw cause;
      await this.fillCounted(file, false, true);
    }
  }

  /**
   * The one query over the file. With `guarded`, rows with a number that is not finite gather in a group without a device;
   * those without a device or a timestamp do so by themselves.
   */
  private async fillCounted(file: ReadingsFile, strict: boolean, guarded: boolean): Promise<true> {
    const { sensors } = file;
    const readings = readingsOf(file, strict);
    const source = guarded
      ? `(SELECT ${[
          'CASE WHEN good THEN device_id END AS device_id',
          'timestamp',
          ...sensors.map((_, index) => `CASE WHEN good THEN s${index} END AS s${index}`),
        ].join(', ')} FROM (SELECT *, ${areFinite(sensors)} AS good FROM ${readings.sql}))`
      : readings.sql;
    const figures = sensors.map(
      (_, index) =>
        `count(s${index}) AS n${index}, avg(s${index}) AS mean${index}, var_pop(s${index}) AS var${index},
         min(s${index}) AS min${index}, max(s${index}) AS max${index}`,
    );
    await this.connection.run('DROP TABLE IF EXISTS reject_errors');
    await this.connection.run('DROP TABLE IF EXISTS reject_scans');
    await this.connection.run(
      `CREATE OR REPLACE TEMP TABLE counted AS
       SELECT * REPLACE (CASE WHEN device_id <> '' AND length(device_id) <= ${ROW_LIMITS.deviceIdCharacters} AND day IS NOT NULL
                              THEN device_id END AS device_id)
       FROM (SELECT ${['device_id', 'timestamp::DATE AS day', 'count(*) AS n_rows', ...figures].join(', ')}
             FROM ${source} GROUP BY device_id, timestamp::DATE)`,
      readings.parameters,
    );
    return true;
  }

  /** NaN is greater than any number to DuckDB, so the extremes show it too. */
  private async isFinite(sensors: readonly Sensor[]): Promise<boolean> {
    const beyond = sensors.map(
      (_, index) => `min${index} < -${ROW_LIMITS.reading} OR max${index} > ${ROW_LIMITS.reading}`,
    );
    return (await this.groupsWhere(['false', ...beyond].join(' OR '))) === 0;
  }

  /** Rows that the reader refused: one a line, with the first thing that was wrong with it. */
  private async refusedRows(): Promise<{ readonly lines: number; readonly broken: BrokenRow[] }> {
    const rows = await this.connection.rows(
      rejectRow,
      `SELECT count(*) OVER () AS lines, line, replace(lower(min_by(error_type::VARCHAR, column_idx)), ' ', '-') AS reason,
              min_by(error_message, column_idx) AS detail, coalesce(left(min_by(csv_line, column_idx), ${MAX_EXCERPT}), '') AS raw
       FROM (SELECT * REPLACE (coalesce(column_idx, 0) AS column_idx) FROM reject_errors)
       GROUP BY line ORDER BY line LIMIT ${MAX_REJECTED_DETAILS_PER_FILE}`,
    );
    return {
      lines: rows[0]?.lines ?? 0,
      broken: rows.map(({ line, reason, detail, raw }) => ({
        line,
        reason,
        detail: firstLineOf(detail),
        raw: raw.replace(/^\n/, ''),
      })),
    };
  }

  private async partials(file: string, sensors: readonly Sensor[]): Promise<DuckDBDataChunk[]> {
    if (sensors.length === 0) return [];
    const figures = ['n', 'mean', 'm2', 'min', 'max'] as const;
    const columnOf = (figure: (typeof figures)[number], index: number): string =>
      figure === 'm2' ? `var${index} * n${index}` : `${figure}${index}`;
    const arrays = figures.map(
      (figure) => `unnest([${sensors.map((_, index) => columnOf(figure, index)).join(', ')}]) AS ${figure}`,
    );
    return this.connection.chunks(
      `SELECT $file::VARCHAR AS file, * FROM (
         SELECT device_id, day, unnest($sensors) AS sensor, ${arrays.join(', ')} FROM counted WHERE device_id IS NOT NULL)
       WHERE n > 0`,
      { file, sensors: column(sensors, VARCHAR, ({ name }) => name) },
    );
  }
}

function inOrder(broken: readonly BrokenRow[]): BrokenRow[] {
  return [...broken].sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
}

function unreadable(why: string): FileCount {
  return {
    rows: 0,
    rejected: 1,
    broken: [{ line: null, reason: 'unreadable', detail: why, raw: '' }],
    partials: [],
  };
}

function firstLineOf(text: string): string {
  return (text.split('\n')[0] ?? '').slice(0, MAX_EXCERPT);
}
