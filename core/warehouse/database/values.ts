import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBListVector,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBStructVector,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  LIST,
  listValue,
  type DuckDBType,
  type DuckDBValue,
  type DuckDBValueConverter,
  type DuckDBVector,
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
  decimalCell: (value: DuckDBDecimalValue) => Cell = (value) => value.toDouble(),
): DuckDBValueConverter<Cell> {
  const cell = (value: DuckDBValue): Cell => {
    if (value === null || (typeof value !== 'object' && typeof value !== 'bigint')) return value;
    if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    if (value instanceof DuckDBDecimalValue) return decimalCell(value);
    if (value instanceof DuckDBBlobValue) return blobCell(value);
    if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue)
      return timestampCell(value);
    if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(cell);
    if (value instanceof DuckDBStructValue)
      return Object.fromEntries(Object.entries(value.entries).map(([name, entry]) => [name, cell(entry)]));
    if (value instanceof DuckDBMapValue)
      return Object.fromEntries(value.entries.map(({ key, value: entry }) => [String(key), cell(entry)]));
    if (value instanceof DuckDBUnionValue) return cell(value.value);
    if (value instanceof DuckDBDateValue && !value.isFinite) return value.days > 0 ? 'infinity' : '-infinity';
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
export const toReadableCell = converterOf(isoCell, String);

const toExactCell = converterOf(isoCell, String, exactDecimal);

/**
 * A value of an answer, with all of its digits: as `toReadableCell`, and a DECIMAL that no double equals is a text. Structs and lists are
 * read from their vectors, because the library's objects lose a field called `__proto__`.
 */
export function readCell(vector: DuckDBVector, row: number): Cell {
  if (vector instanceof DuckDBStructVector) {
    if (!vector.isItemValid(row)) return null;
    return Object.fromEntries(
      vector.type.entryNames.map((name, index) => [name, readCell(vector.entryVectorAt(index), row)]),
    );
  }
  if (vector instanceof DuckDBListVector) {
    const items = vector.getItemVector(row);
    if (items === null) return null;
    return Array.from({ length: items.itemCount }, (_, index) => readCell(items, index));
  }
  const value = vector.getItem(row);
  if (value instanceof DuckDBTimestampSecondsValue) return isoOr(value.seconds, 1_000_000n, String(value));
  if (value instanceof DuckDBTimestampMillisecondsValue) return isoOr(value.millis, 1_000n, String(value));
  if (value instanceof DuckDBTimestampNanosecondsValue)
    return String(value).replace(/^([\d-]+) ([\d:.]+)$/, '$1T$2Z');
  return toExactCell(value, vector.type, toExactCell);
}

function isoCell(value: DuckDBTimestampValue | DuckDBTimestampTZValue): Cell {
  return isoOr(value.micros, 1n, String(value));
}

/** DuckDB's `infinity`, whatever the unit; the library writes it so for microseconds alone. */
const INFINITE = 2n ** 63n - 1n;

function isoOr(count: bigint, microsOfUnit: bigint, text: string): string {
  if (count === INFINITE || count === -INFINITE) return count > 0n ? 'infinity' : '-infinity';
  const micros = count * microsOfUnit;
  return Number.isSafeInteger(Number(micros)) ? isoOfMicros(Number(micros)) : text;
}

/** The number, where a double says the same; else the digits. */
function exactDecimal(value: DuckDBDecimalValue): Cell {
  const digits = value.toString();
  const number = Number(digits);
  const bare = digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
  return String(number) === bare ? number : digits;
}
