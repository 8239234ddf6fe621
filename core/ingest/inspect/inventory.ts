import { numberOf } from '../fields';
import { fieldPath, isRecord, parsePointer, valueAt } from '../pointer';

/** What fields a sample's messages have, and with which values. */

export type Scalar = string | number | boolean;

/** The values of one path, place by place. A place is a message or, with `each`, an element of its array. */
export interface Column {
  readonly path: string;
  /** Undefined or a hole where a place has no value there; null is none. */
  readonly values: readonly (Scalar | undefined)[];
  /** Places with a value. */
  readonly present: number;
}

export interface Inventory {
  readonly places: number;
  /** In the order in which the paths were met. */
  readonly columns: readonly Column[];
}

/** More places say nothing new about fields. */
const MAX_PLACES = 20_000;
/** Fields of one place, and elements of an array that is no list of readings: a place with more of them is data of another kind. */
const MAX_FIELDS = 500;
const MAX_ELEMENTS = 16;
const MAX_DEPTH = 8;

/** @param each path of the array whose elements are readings. */
export function inventoryOf(messages: readonly unknown[], each: string | undefined): Inventory {
  const columns = new Map<string, { values: (Scalar | undefined)[]; present: number }>();
  let places = 0;
  for (const message of messages) {
    for (const fields of placesOf(message, each)) {
      if (places >= MAX_PLACES) break;
      for (const [path, value] of fields) {
        const column = columns.get(path) ?? { values: [], present: 0 };
        column.values[places] = value;
        column.present += 1;
        columns.set(path, column);
      }
      places += 1;
    }
  }
  return { places, columns: [...columns].map(([path, column]) => ({ path, ...column })) };
}

type Fields = Map<string, Scalar>;

/** The fields of a message, or of each element of its array with those of the message that the element lacks. */
function placesOf(message: unknown, each: string | undefined): readonly Fields[] {
  if (each === undefined) return [fieldsOf(message, '/', undefined, new Map())];
  const elements = valueAt(message, parsePointer(each));
  if (!Array.isArray(elements)) return [new Map()];
  const outer = fieldsOf(Array.isArray(message) ? undefined : message, '/', elements, new Map());
  return elements.map((element) => fieldsOf(element, '/', undefined, new Map(outer)));
}

function fieldsOf(value: unknown, path: string, without: unknown, into: Fields, depth = 0): Fields {
  if (value === null || value === undefined || value === without || into.size >= MAX_FIELDS) return into;
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    if (path !== '/') into.set(path, value);
    return into;
  }
  if (depth >= MAX_DEPTH) return into;
  const inner: readonly (readonly [string | number, unknown])[] = Array.isArray(value)
    ? value.slice(0, MAX_ELEMENTS).map((element: unknown, index) => [index, element])
    : isRecord(value)
      ? Object.entries(value)
      : [];
  for (const [name, field] of inner) fieldsOf(field, fieldPath(path, name), without, into, depth + 1);
  return into;
}

/** Arrays in a message, outside of other arrays, that have objects in them: lists of readings, perhaps. */
export function arraysIn(value: unknown, path = '/', depth = 0): readonly string[] {
  if (Array.isArray(value)) return value.some(isRecord) ? [path] : [];
  if (!isRecord(value) || depth >= MAX_DEPTH) return [];
  return Object.entries(value).flatMap(([name, field]) => arraysIn(field, fieldPath(path, name), depth + 1));
}

export function distinctValues(column: Column): ReadonlySet<Scalar> {
  const distinct = new Set<Scalar>();
  for (const value of column.values) if (value !== undefined) distinct.add(value);
  return distinct;
}

/** Share of a column's values for which something holds. */
export function shareOf(column: Column, holds: (value: Scalar) => boolean): number {
  let count = 0;
  for (const value of column.values) if (value !== undefined && holds(value)) count += 1;
  return column.present === 0 ? 0 : count / column.present;
}

/** A number, or a text of one. */
export function isNumeric(value: Scalar): boolean {
  return !Number.isNaN(numberOf(value));
}

/** Whether most of a column's values are numbers: the others are words such as `n/a`. */
export function isNumericColumn(column: Column): boolean {
  return shareOf(column, isNumeric) > 0.5;
}

export function columnAt({ columns }: Inventory, path: string): Column | undefined {
  return columns.find((column) => column.path === path);
}

/** An example of a column's values, as a sentence quotes it. */
export function exampleOf(column: Column): string {
  const example = column.values.find((value) => value !== undefined);
  return example === undefined ? 'nothing' : JSON.stringify(example);
}
