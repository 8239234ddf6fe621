import {
  createDuckDBValueConverter,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTypeId,
  LIST,
  listValue,
  arrayFromArrayValue,
  arrayFromListValue,
  objectFromStructValue,
  stringFromValue,
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

/** Event time as DuckDB takes it. */
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

function numberOrBigint(value: DuckDBValue): number | bigint {
  const big = typeof value === 'bigint' ? value : BigInt(Number(value));
  return big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
}

function numberOfDecimal(value: DuckDBValue): number {
  if (!(value instanceof DuckDBDecimalValue)) throw new TypeError('not a DECIMAL');
  return value.toDouble();
}

function bytesOf(value: DuckDBValue): Uint8Array {
  if (!(value instanceof DuckDBBlobValue)) throw new TypeError('not a BLOB');
  return value.bytes;
}

function microsOf(value: DuckDBValue): Micros {
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue)
    return Number(value.micros);
  throw new TypeError('not a TIMESTAMP');
}

/** `infinity` and times that JavaScript cannot count to the microsecond stay as DuckDB writes them. */
function isoOf(value: DuckDBValue): string {
  const micros = microsOf(value);
  // 8.64e18 µs is the end of JavaScript's calendar, but beyond 2^53 the microseconds are no longer exact.
  return Number.isSafeInteger(micros) ? isoOfMicros(micros) : String(value);
}

function dateOf(value: DuckDBValue): string {
  if (!(value instanceof DuckDBDateValue)) throw new TypeError('not a DATE');
  return value.toString();
}

function converterOf(
  timestamps: (value: DuckDBValue) => Cell,
  bytes: (value: DuckDBValue) => Cell,
): DuckDBValueConverter<Cell> {
  const number = (value: DuckDBValue): number => Number(value);
  const named: Partial<Record<DuckDBTypeId, DuckDBValueConverter<Cell>>> = {
    [DuckDBTypeId.BOOLEAN]: (value) => value === true,
    [DuckDBTypeId.TINYINT]: number,
    [DuckDBTypeId.SMALLINT]: number,
    [DuckDBTypeId.INTEGER]: number,
    [DuckDBTypeId.UTINYINT]: number,
    [DuckDBTypeId.USMALLINT]: number,
    [DuckDBTypeId.UINTEGER]: number,
    [DuckDBTypeId.FLOAT]: number,
    [DuckDBTypeId.DOUBLE]: number,
    [DuckDBTypeId.BIGINT]: numberOrBigint,
    [DuckDBTypeId.UBIGINT]: numberOrBigint,
    [DuckDBTypeId.HUGEINT]: numberOrBigint,
    [DuckDBTypeId.UHUGEINT]: numberOrBigint,
    [DuckDBTypeId.DECIMAL]: numberOfDecimal,
    [DuckDBTypeId.BLOB]: bytes,
    [DuckDBTypeId.TIMESTAMP]: timestamps,
    [DuckDBTypeId.TIMESTAMP_TZ]: timestamps,
    [DuckDBTypeId.DATE]: dateOf,
    [DuckDBTypeId.LIST]: arrayFromListValue,
    [DuckDBTypeId.ARRAY]: arrayFromArrayValue,
    [DuckDBTypeId.STRUCT]: objectFromStructValue,
  };
  const all: Record<number, DuckDBValueConverter<Cell>> = {};
  for (const id of Object.values(DuckDBTypeId))
    if (typeof id === 'number') all[id] = named[id] ?? stringFromValue;
  return createDuckDBValueConverter<Cell>(all);
}

/** Cells as our own questions want them: timestamps are `Micros`, whole numbers are numbers where they fit. */
export const toCell: DuckDBValueConverter<Cell> = converterOf(microsOf, bytesOf);

/** Cells as people and programs outside read them: timestamps are ISO 8601 in UTC, bytes DuckDB's `\\xFF`. */
export const toReadableCell: DuckDBValueConverter<Cell> = converterOf(isoOf, stringFromValue);
