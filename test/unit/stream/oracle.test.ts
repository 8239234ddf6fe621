import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { jsonReport } from '../../../cli/actions/replay-output';
import { isoOfMicros } from '../../../core/contracts/time';
import { partitionOf } from '../../../core/platform/kafka';
import { linesOf } from '../../../core/stream/parse/lines';
import { replayLines } from '../../../core/stream/replay/replay';
import { noChange, SECOND, SETTINGS as LIVE_SETTINGS, WINDOW } from './support';

/** Each event moves the time by itself: what others confirm is not a question for SQL. */
const SETTINGS = { ...LIVE_SETTINGS, clockQuorum: 1 };

/**
 * The engine against another one that shares no line of code with it: verdicts, windows and figures in SQL, computed by
 * DuckDB over the whole log at once.
 */
const VERDICTS = `
  CREATE OR REPLACE TEMP TABLE judged AS
  WITH parsed AS (
    SELECT *, ts IS NULL AS malformed, coalesce(ts > stamped + ${SETTINGS.futureMicros}, false) AS future,
           ${WINDOW}::BIGINT * floor(ts / ${WINDOW})::BIGINT AS start
    FROM log
  ), timed AS (
    SELECT *, max(CASE WHEN NOT malformed AND NOT future THEN ts END) OVER (
             PARTITION BY part ORDER BY line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) - ${SETTINGS.watermarkMicros} AS watermark
    FROM parsed
  ), sorted AS (
    SELECT *, CASE WHEN malformed THEN 'malformed' WHEN future THEN 'future'
                   WHEN start + ${WINDOW} <= watermark THEN 'late' ELSE 'good' END AS first_look
    FROM timed
  )
  SELECT *, CASE WHEN first_look = 'good'
                 THEN CASE WHEN row_number() OVER (PARTITION BY first_look, part, device, ts ORDER BY line) = 1
                           THEN 'windowed' ELSE 'duplicate' END
                 ELSE first_look END AS verdict
  FROM sorted`;
const ROWS = `
  WITH ends AS (
    SELECT part, max(ts) - ${SETTINGS.watermarkMicros} AS watermark FROM judged WHERE verdict = 'windowed' GROUP BY part
  ), good AS (
    SELECT judged.* FROM judged JOIN ends USING (part) WHERE verdict = 'windowed' AND start + ${WINDOW} <= ends.watermark
  ), figures AS (
    SELECT device, start, count(*)::INT AS count, avg(temperature) AS avg, min(temperature) AS min, max(temperature) AS max,
           coalesce(stddev_samp(temperature), 0) AS stddev
    FROM good GROUP BY device, start
  )
  SELECT device, start::DOUBLE AS start, any_value(figures.count) AS count, any_value(figures.avg) AS avg,
         any_value(figures.min) AS min, any_value(figures.max) AS max, any_value(stddev) AS stddev,
         coalesce(max(CASE WHEN stddev > 0 THEN abs(temperature - figures.avg) / stddev END), 0) AS max_abs_z,
         count(*) FILTER (WHERE stddev > 0 AND abs(temperature - figures.avg) / stddev > 2.5)::INT AS outliers
  FROM good JOIN figures USING (device, start) GROUP BY device, start ORDER BY device, start`;

interface LogEvent {
  readonly device: string;
  /** null: a line that is no event. */
  readonly micros: number | null;
  readonly stamped: number | null;
  readonly temperature: number;
  readonly iso: boolean;
}

const event: fc.Arbitrary<LogEvent> = fc.record({
  device: fc.constantFrom('a', 'b', 'c', 'd'),
  micros: fc.option(
    fc
      .tuple(fc.integer({ min: -240, max: 400 }), fc.constantFrom(0, 0, 0, 1, 250_001, 999_999))
      .map(([seconds, micros]) => seconds * SECOND + micros),
    { freq: 30 },
  ),
  stamped: fc.option(fc.integer({ min: -200, max: 500 }).map((seconds) => seconds * SECOND)),
  // Few distinct values, so that windows without spread come up; a wild one, so that outliers do.
  temperature: fc.constantFrom(20, 20, 20, 20.5, 21, 19.25, 1_000),
  iso: fc.boolean(),
});
/** A slow drift forward on top, so that windows close along the way. */
const log = fc
  .array(event, { minLength: 1, maxLength: 120 })
  .map((events) =>
    events.map((one, i) => (one.micros === null ? one : { ...one, micros: one.micros + i * 3 * SECOND })),
  );

function lineOf({ device, micros, stamped, temperature, iso }: LogEvent): string {
  if (micros === null) return '{"device_id": "a", "timestamp": 0}';
  return JSON.stringify({
    device_id: device,
    timestamp: iso ? isoOfMicros(micros).slice(0, -1) : micros / 1_000,
    temperature,
    ...(stamped === null ? {} : { record_timestamp: stamped / 1_000 }),
  });
}

interface PrintedRow {
  readonly type: string;
  readonly [field: string]: unknown;
}

async function engineSays(events: readonly LogEvent[], partitions: number): Promise<PrintedRow[]> {
  let printed = '';
  const report = jsonReport((text) => {
    printed += text;
    return Promise.resolve();
  }, SETTINGS.task);
  const bytes = Buffer.from(events.map(lineOf).join('\n'));
  const summary = await replayLines(
    linesOf(
      (async function* () {
        await Promise.resolve();
        yield bytes;
      })(),
    ),
    {
      settings: SETTINGS,
      partitions,
      versions: [],
      residualStddev: null,
      forecaster: noChange,
      flush: false,
    },
    report,
  );
  await report.finish(summary);
  return printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as PrintedRow);
}

/** Each run is some queries to a database; two busy cores need a while. */
const ORACLE_MILLIS = 60_000;

let instance: DuckDBInstance;
let connection: DuckDBConnection;
beforeAll(async () => {
  instance = await DuckDBInstance.create(':memory:');
  connection = await instance.connect();
});
afterAll(() => {
  connection.closeSync();
  instance.closeSync();
});

async function oracleSays(events: readonly LogEvent[], partitions: number) {
  const values = events.map(({ device, micros, stamped, temperature }, line) => {
    // What is no event goes to the first partition.
    const part = micros === null ? 0 : partitions === 1 ? 0 : partitionOf(device, partitions);
    return `(${line + 1}, ${part}, '${device}', ${micros ?? 'NULL'}, ${stamped ?? 'NULL'}, ${temperature}::DOUBLE)`;
  });
  await connection.run(
    `CREATE OR REPLACE TEMP TABLE log AS SELECT line, part, device, ts::BIGINT AS ts, stamped::BIGINT AS stamped, temperature
     FROM (VALUES ${values.join(', ')}) AS t(line, part, device, ts, stamped, temperature)`,
  );
  await connection.run(VERDICTS);
  const ask = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson();
  return {
    rejects: await ask(
      "SELECT verdict AS reason, line FROM judged WHERE verdict <> 'windowed' ORDER BY line",
    ),
    rows: await ask(ROWS),
  };
}

describe('the engine and SQL over the same log', () => {
  it(
    'come to the same verdicts, windows and figures, on any log and any number of partitions',
    async () => {
      await fc.assert(
        fc.asyncProperty(log, fc.constantFrom(1, 1, 3), async (events, partitions) => {
          const engine = await engineSays(events, partitions);
          const oracle = await oracleSays(events, partitions);
          const rejects = engine
            .filter(({ type }) => type === 'reject')
            .map(({ reason, line }) => ({ reason, line }));
          expect(rejects).toEqual(oracle.rejects);

          const rows = engine
            .filter(({ type }) => type === 'window')
            .sort((one, other) => compare(one, other));
          expect(
            rows.map(({ device_id, window_start, count, outliers }) => [
              device_id,
              window_start,
              count,
              outliers,
            ]),
          ).toEqual(
            oracle.rows.map((row) => [
              row['device'],
              isoOfMicros(Number(row['start'])),
              row['count'],
              row['outliers'],
            ]),
          );
          rows.forEach((row, i) => {
            for (const figure of ['avg', 'min', 'max', 'stddev', 'max_abs_z'])
              expect([figure, row[figure]]).toEqual([
                figure,
                expect.closeTo(Number(oracle.rows[i]![figure]), 6),
              ]);
            expect(row).toMatchObject({
              is_anomaly: Number(row['outliers']) > 0,
              confidence: row['max_abs_z'],
            });
          });

          const summary = engine.at(-1)!;
          const count = (reason: string): number =>
            oracle.rejects.filter((reject) => reject['reason'] === reason).length;
          expect(summary).toMatchObject({
            type: 'summary',
            read: events.length,
            windowed: events.length - oracle.rejects.length,
            late: count('late'),
            duplicate: count('duplicate'),
            future: count('future'),
            malformed: count('malformed'),
          });
        }),
        { numRuns: 60 },
      );
    },
    ORACLE_MILLIS,
  );
});

/** By device, then window. */
function compare(one: PrintedRow, other: PrintedRow): number {
  const [a, b] = [one, other].map(({ device_id }) => String(device_id));
  if (a !== b) return a! < b! ? -1 : 1;
  const [from, to] = [one, other].map(({ window_start }) => Date.parse(String(window_start)));
  return from! - to!;
}
