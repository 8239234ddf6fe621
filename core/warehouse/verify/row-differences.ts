import { type RejectReason, type AnalysisBlock, type EvaluationBlock } from '../../contracts/blocks';
import { type Micros } from '../../contracts/time';
import { readableBytes } from '../sink/rejects';

export type RowValue = string | number | boolean | null;
/** Values in the order of the table's `columns`. */
export type Row = readonly RowValue[];

/** A table as it is compared: the first `keys` columns name a row, the others are what it says. */
export interface ComparedTable {
  readonly name: 'stream_analysis_results' | 'model_evaluations' | 'rejected_rows';
  readonly columns: readonly string[];
  readonly keys: number;
}

/** Times are in microseconds. Epoch and the broker's time of a row are not compared: they tell who wrote it, and when. */
export const ANALYSIS_TABLE: ComparedTable = {
  name: 'stream_analysis_results',
  columns: [
    'window_start',
    'device_id',
    'window_end',
    'count',
    'avg',
    'min',
    'max',
    'stddev',
    'max_abs_z',
    'outliers',
    'is_anomaly',
    'confidence',
    'humidity_avg',
    'pressure_avg',
    'actual_anomaly',
  ],
  keys: 2,
};

export const EVALUATION_TABLE: ComparedTable = {
  name: 'model_evaluations',
  columns: [
    'window_start',
    'model_version',
    'device_id',
    'window_end',
    'prediction_result',
    'actual_result',
    'error',
    'loss',
    'is_correct',
    'confidence',
    'persistence_error',
    'predicted_anomaly',
    'actual_anomaly',
    'regime',
  ],
  keys: 3,
};

export const REJECT_TABLE: ComparedTable = {
  name: 'rejected_rows',
  columns: ['source_offset', 'reason', 'detail', 'raw'],
  keys: 1,
};

/** Rows of a closed window, as the sink has to store them. */
export interface WindowRows {
  readonly partition: number;
  readonly start: Micros;
  readonly end: Micros;
  readonly analysis: AnalysisBlock['columns'];
  readonly evaluations: EvaluationBlock['columns'];
}

export function analysisRows({ start, end, analysis: of }: WindowRows): Row[] {
  return of.device_id.map((device, i) => [
    start,
    device,
    end,
    of.count[i] ?? null,
    of.avg[i] ?? null,
    of.min[i] ?? null,
    of.max[i] ?? null,
    of.stddev[i] ?? null,
    of.max_abs_z[i] ?? null,
    of.outliers[i] ?? null,
    (of.outliers[i] ?? 0) > 0,
    of.max_abs_z[i] ?? null,
    of.humidity_avg[i] ?? null,
    of.pressure_avg[i] ?? null,
    flag(of.actual_anomaly[i]),
  ]);
}

export function evaluationRows({ start, end, evaluations: of }: WindowRows): Row[] {
  return of.device_id.map((device, i) => [
    start,
    of.model_version[i] ?? null,
    device,
    end,
    of.prediction_result[i] ?? null,
    of.actual_result[i] ?? null,
    of.error[i] ?? null,
    of.loss[i] ?? null,
    of.is_correct[i] === 1,
    of.confidence[i] ?? null,
    of.persistence_error[i] ?? null,
    flag(of.predicted_anomaly[i]),
    flag(of.actual_anomaly[i]),
    of.regime[i] ?? null,
  ]);
}

export function rejectRow(
  offset: number,
  reason: RejectReason,
  detail: string | undefined,
  value: Uint8Array | null,
): Row {
  return [offset, reason, detail ?? '', readableBytes(value === null ? null : Buffer.from(value))];
}

function flag(value: 0 | 1 | null | undefined): boolean | null {
  return value === null || value === undefined ? null : value === 1;
}

/** One row that is not as it must be. */
export interface RowDifference {
  readonly table: ComparedTable['name'];
  readonly partition: number;
  readonly kind: 'missing' | 'unexpected' | 'repeated' | 'different';
  /** What names the row, by column. */
  readonly row: Readonly<Record<string, RowValue>>;
  /** Of a `different` one: the columns that differ. */
  readonly columns?: Readonly<Record<string, { readonly expected: RowValue; readonly stored: RowValue }>>;
}

/** Rows that must be there against rows that are: exactly the same ones, once each, equal to the last digit. */
export function compareRows(
  table: ComparedTable,
  partition: number,
  expected: readonly Row[],
  stored: readonly Row[],
): RowDifference[] {
  const nameOf = (row: Row): string => JSON.stringify(row.slice(0, table.keys));
  const keysOf = (row: Row): Record<string, RowValue> =>
    Object.fromEntries(table.columns.slice(0, table.keys).map((name, i) => [name, row[i] ?? null]));
  const differences: RowDifference[] = [];
  const tell = (kind: RowDifference['kind'], row: Row): void => {
    differences.push({ table: table.name, partition, kind, row: keysOf(row) });
  };
  const waiting = new Map(expected.map((row) => [nameOf(row), row]));
  const met = new Set<string>();
  for (const row of stored) {
    const name = nameOf(row);
    const wanted = waiting.get(name);
    if (met.has(name)) tell('repeated', row);
    else if (wanted === undefined) tell('unexpected', row);
    else {
      const columns = differingColumns(table, wanted, row);
      if (columns !== undefined)
        differences.push({ table: table.name, partition, kind: 'different', row: keysOf(row), columns });
    }
    met.add(name);
  }
  for (const [name, row] of waiting) if (!met.has(name)) tell('missing', row);
  return differences;
}

function differingColumns(table: ComparedTable, expected: Row, stored: Row): RowDifference['columns'] {
  const differing = table.columns.flatMap((name, i) => {
    const pair = { expected: expected[i] ?? null, stored: stored[i] ?? null };
    return pair.expected === pair.stored ? [] : [[name, pair] as const];
  });
  return differing.length === 0 ? undefined : Object.fromEntries(differing);
}
