import { DuckDBTimestampValue, type DuckDBValue } from '@duckdb/node-api';
import { FORMER_SENTINEL_VALUE, type ReadingFault } from '../../contracts/task';
import { type ReadTable, type RowTable } from '../database/columns';

type RowValue = string | number | boolean | null;
/** Values in the order of the table's compared columns. Times are in microseconds. */
export type Row = readonly RowValue[];

/** A table as it is compared. */
export type ComparedTable<Source = never> = Omit<RowTable<Source>, 'written'>;

/** The rows that the sink makes of a source. */
export function rowsFrom<Source>({ compared }: ComparedTable<Source>, source: Source): Row[] {
  const columns = compared.map(({ of }) => of(source));
  const rows = Math.max(0, ...columns.map((column) => ('all' in column ? 0 : column.length)));
  return Array.from({ length: rows }, (_, row) =>
    columns.map((column) => rowValue('all' in column ? column.all : column[row])),
  );
}

function rowValue(value: DuckDBValue | undefined): RowValue {
  if (value instanceof DuckDBTimestampValue) return Number(value.micros);
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

/** A row that differs from the one that must be there. */
export interface RowDifference {
  readonly table: ReadTable;
  readonly partition: number;
  readonly kind: 'missing' | 'unexpected' | 'repeated' | 'different';
  /** Key of the row, by column. */
  readonly row: Readonly<Record<string, RowValue>>;
  /** Of a `different` row: the columns that differ. */
  readonly columns?: Readonly<Record<string, { readonly expected: RowValue; readonly stored: RowValue }>>;
}

/** Compares the rows that must be stored with those that are: each once, equal to the last digit. */
export function compareRows(
  table: ComparedTable,
  partition: number,
  expected: readonly Row[],
  stored: readonly Row[],
): RowDifference[] {
  const keyOf = (row: Row): string => JSON.stringify(row.slice(0, table.keys));
  const named = (row: Row): Record<string, RowValue> =>
    Object.fromEntries(table.compared.slice(0, table.keys).map(({ name }, i) => [name, row[i] ?? null]));
  const differences: RowDifference[] = [];
  const report = (kind: RowDifference['kind'], row: Row, columns?: RowDifference['columns']): void => {
    differences.push({ table: table.readAs, partition, kind, row: named(row), ...(columns && { columns }) });
  };
  const waiting = new Map(expected.map((row) => [keyOf(row), row]));
  const met = new Set<string>();
  for (const row of stored) {
    const key = keyOf(row);
    const wanted = waiting.get(key);
    if (met.has(key)) report('repeated', row);
    else if (wanted === undefined) report('unexpected', row);
    else {
      const columns = differingColumns(table, wanted, row);
      if (columns !== undefined) report('different', row, columns);
    }
    met.add(key);
  }
  for (const [key, row] of waiting) if (!met.has(key)) report('missing', row);
  return differences;
}

function differingColumns(table: ComparedTable, expected: Row, stored: Row): RowDifference['columns'] {
  const differing = table.compared.flatMap(({ name }, i) => {
    const pair = { expected: expected[i] ?? null, stored: stored[i] ?? null };
    return pair.expected === pair.stored || isFormerWord(pair) ? [] : [[name, pair] as const];
  });
  return differing.length === 0 ? undefined : Object.fromEntries(differing);
}

/** A reject that a former release wrote has the detail of its time: the same reason by another name is no difference. */
function isFormerWord({
  expected,
  stored,
}: {
  readonly expected: RowValue;
  readonly stored: RowValue;
}): boolean {
  return expected === ('sentinel-value' satisfies ReadingFault) && stored === FORMER_SENTINEL_VALUE;
}
