import { DuckDBTimestampValue, type DuckDBValue } from '@duckdb/node-api';
import { type RowTable } from '../database/columns';

export type RowValue = string | number | boolean | null;
/** Values in the order of the table's compared columns. Times are in microseconds. */
export type Row = readonly RowValue[];

/** A table as it is compared. */
export type ComparedTable<Source = never> = Omit<RowTable<Source>, 'written'>;

/** The rows that the sink makes of a source. */
export function rowsFrom<Source>({ compared }: ComparedTable<Source>, rows: number, source: Source): Row[] {
  const columns = compared.map(({ of }) => of(source));
  return Array.from({ length: rows }, (_, row) =>
    columns.map((column) => rowValue('all' in column ? column.all : column[row])),
  );
}

function rowValue(value: DuckDBValue | undefined): RowValue {
  if (value instanceof DuckDBTimestampValue) return Number(value.micros);
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : null;
}

/** One row that is not as it must be. */
export interface RowDifference {
  readonly table: ComparedTable['readAs'];
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
    Object.fromEntries(table.compared.slice(0, table.keys).map(({ name }, i) => [name, row[i] ?? null]));
  const differences: RowDifference[] = [];
  const report = (kind: RowDifference['kind'], row: Row): void => {
    differences.push({ table: table.readAs, partition, kind, row: keysOf(row) });
  };
  const waiting = new Map(expected.map((row) => [nameOf(row), row]));
  const met = new Set<string>();
  for (const row of stored) {
    const name = nameOf(row);
    const wanted = waiting.get(name);
    if (met.has(name)) report('repeated', row);
    else if (wanted === undefined) report('unexpected', row);
    else {
      const columns = differingColumns(table, wanted, row);
      if (columns !== undefined)
        differences.push({ table: table.readAs, partition, kind: 'different', row: keysOf(row), columns });
    }
    met.add(name);
  }
  for (const [name, row] of waiting) if (!met.has(name)) report('missing', row);
  return differences;
}

function differingColumns(table: ComparedTable, expected: Row, stored: Row): RowDifference['columns'] {
  const differing = table.compared.flatMap(({ name }, i) => {
    const pair = { expected: expected[i] ?? null, stored: stored[i] ?? null };
    return pair.expected === pair.stored ? [] : [[name, pair] as const];
  });
  return differing.length === 0 ? undefined : Object.fromEntries(differing);
}
