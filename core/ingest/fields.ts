import { isDeviceIdText, ROW_LIMITS } from '../contracts/limits';
import { INGEST_LIMITS } from './limits';

/** What single values of a message mean. */

/** Each text has one way to fit: with two, a long one that does not fit would take the square of its length. */
const NUMERIC_TEXT = /^[ \t]*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*$/;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** null means "no value" in most producers' JSON: the field counts as left out. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

/** The device id that a text or a whole number is; undefined where it is none. */
export function deviceIdOf(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  if (typeof value !== 'string' || !isDeviceIdText(value)) return undefined;
  // Half of a surrogate pair has no UTF-8: different ids with one would become the same.
  return LONE_SURROGATE.test(value) ? undefined : value;
}

/** Whether a value is a text that may be a number or a time: every reading of a message may be given the same long one. */
export function isShortText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= INGEST_LIMITS.numberCharacters;
}

/** The number that a value is, also where it is written as a text; NaN for everything else. */
export function numberOf(value: unknown): number {
  if (typeof value === 'number') return value + 0;
  return isShortText(value) && NUMERIC_TEXT.test(value) ? Number(value) + 0 : NaN;
}

/** Whether a number can be a reading at all. */
export function isReading(value: number): boolean {
  return Math.abs(value) <= ROW_LIMITS.reading;
}

/** true or false where a value says so; undefined where it says something else. */
export function labelOf(value: unknown): boolean | undefined {
  if (value === true || value === 1) return true;
  return value === false || value === 0 ? false : undefined;
}

/** A value as a reject quotes it. */
export function quoted(value: unknown): string {
  const text = value === undefined ? 'nothing' : jsonOf(value);
  const { quotedCharacters: most } = INGEST_LIMITS;
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}

/** Texts of lists and objects: every reading of a message may quote the same large one. */
const quotes = new WeakMap<object, string>();

function jsonOf(value: unknown): string {
  // More would be cut off.
  if (typeof value === 'string') return JSON.stringify(value.slice(0, INGEST_LIMITS.quotedCharacters));
  if (typeof value !== 'object' || value === null) return String(value);
  const known = quotes.get(value) ?? writtenJson(value);
  quotes.set(value, known);
  return known;
}

function writtenJson(value: object): string {
  try {
    return JSON.stringify(value).slice(0, INGEST_LIMITS.quotedCharacters + 1);
  } catch {
    // What JSON.parse reads may still be too deep to be written.
    return 'a value that is nested too deeply to be shown';
  }
}
