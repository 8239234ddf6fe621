import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  LIST,
  listValue,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBValueConverter,
} from '@duckdb/node-api';
import { isoOfMicros, type Micros } from '../../contracts/time';

/** What a cell becomes in TypeScript. Lists and structs hold the same again. */
export type Cell =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Cell[]
  | { readonly [name: string]: Cell };

/** Event time as a value of DuckDB. */
export function timestamp(at: Micros): DuckDBTimestampValue {
  return new DuckDBTimestampValue(BigInt(at));
}

export function timestampOrNull(at: Micros | null): DuckDBTimestampValue | null {
  return at === null ? null : timestamp(at);
}

/** A list for `unnest($x)`, with its type, so that empty lists and nulls keep theirs. */
export interface TypedList {
  readonly value: DuckDBValue;
  readonly type: DuckDBType;
}

export function list(items: readonly DuckDBValue[], type: DuckDBType): TypedList {
  return { value: listValue([...items]), type: LIST(type) };
}

/** A list of one value of each row. */
export function column<Row>(
  rows: readonly Row[],
  type: DuckDBType,
  of: (row: Row) => DuckDBValue,
): TypedList {
  return list(rows.map(of), type);
}

/** Cells by the kind of their value. Other kinds, such as dates, are the text that DuckDB writes. */
function converterOf(
  timestampCell: (value: DuckDBTimestampValue | DuckDBTimestampTZValue) => Cell,
  blobCell: (value: DuckDBBlobValue) => Cell,
): DuckDBValueConverter<Cell> {
  const cell = (value: DuckDBValue): Cell => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'bigint')) return value;
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    if (value instanceof DuckDBDecimalValue) return value.toDouble();
    if (value instanceof DuckDBBlobValue) return blobCell(value);
    if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue)
      return timestampCell(value);
    if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(cell);
    if (value instanceof DuckDBStructValue)
      return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, cell(entry)]));
    return String(value);
  };
  return cell;
}

/** Cells as our own queries want them: timestamps are `Micros`, whole numbers are numbers where they fit. */
export const toCell = converterOf(
  ({ micros }) => Number(micros),
  ({ bytes }) => bytes,
);

/**
 * Cells as people and programs outside read them: timestamps are ISO 8601 in UTC, bytes DuckDB's `\\xFF`. `infinity` and
 * timestamps that JavaScript cannot count to the microsecond (beyond 2^53) stay as DuckDB writes them.
 */
export const toReadableCell = converterOf((value) => {
  const micros = Number(value.micros);
  return Number.isSafeInteger(micros) ? isoOfMicros(micros) : String(value);
}, String);
