import { type Parameters, type Statements } from './connection';
import { type TypedList } from './values';

/**
 * What happens where a row with the same key exists; `replace` sets the given columns and leaves the others, `set` is SQL of what it
 * sets.
 */
type OnConflict = 'fail' | 'ignore' | 'replace' | { readonly set: string };

const INSERT = { fail: 'INSERT', ignore: 'INSERT OR IGNORE', replace: 'INSERT OR REPLACE' } as const;

/** Insert one row, given by column. */
export function insertRow(
  inside: Pick<Statements, 'run'>,
  table: string,
  row: Parameters,
  onConflict: keyof typeof INSERT,
): Promise<void> {
  return insertRows(inside, table, { same: row, own: {} }, onConflict);
}

/** Rows given by column: some columns are the same in all of them, of others each row has its own. */
export interface Rows {
  readonly same?: Parameters;
  readonly own: Readonly<Record<string, TypedList>>;
  /** Of rows that agree in this column the first one counts. */
  readonly distinct?: string;
}

/** Insert any number of rows in one statement. */
export function insertRows(
  inside: Pick<Statements, 'run'>,
  table: string,
  { same = {}, own, distinct }: Rows,
  onConflict: OnConflict,
): Promise<void> {
  const columns = [
    ...Object.keys(same).map((column) => `$${column} AS ${column}`),
    ...Object.keys(own).map((column) => `unnest($${column}) AS ${column}`),
  ];
  return inside.run(
    `${typeof onConflict === 'string' ? INSERT[onConflict] : 'INSERT'} INTO ${table} BY NAME
     SELECT ${distinct === undefined ? '' : `DISTINCT ON (${distinct})`} * FROM (SELECT ${columns.join(', ')})
     ${typeof onConflict === 'string' ? '' : `ON CONFLICT DO UPDATE SET ${onConflict.set}`}`,
    { ...same, ...own },
  );
}
