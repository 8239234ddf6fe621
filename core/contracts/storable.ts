import { z } from 'zod';
import { isDeviceIdText, ROW_LIMITS } from './limits';
import { MICROS_PER_MILLI } from './time';

/**
 * Values that the tables can hold. Messages that become rows are made of these, so that what a schema lets through can be stored:
 * a column that is narrower than its message ends the transaction of every neighbour.
 */

/** DuckDB's INTEGER, for counts and numbers of partitions. */
export const MAX_INTEGER = 0x7fff_ffff;
export const integerSchema = z.int().min(0).max(MAX_INTEGER);

/** Largest error or claim about one reading: its square still fits a double. */
export const MAX_MEASURE = 2 * ROW_LIMITS.reading;

/** A measured or claimed figure. */
export const measureSchema = z.number().min(-MAX_MEASURE).max(MAX_MEASURE);

export function isMeasure(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_MEASURE;
}

/** Characters of a text that a person reads, such as a reason. */
const MAX_TEXT = 4_096;
export const textSchema = z.string().max(MAX_TEXT);

/** Characters of a text that is part of a table's key: DuckDB's index takes 120 KB, and names are far shorter. */
const MAX_NAME = 256;
export const nameSchema = z.string().max(MAX_NAME);

/** A device's id as events and files may have it. */
export const storedDeviceIdSchema = z
  .string()
  .refine(isStorableDeviceId, `a device id has 1 to ${ROW_LIMITS.deviceIdCharacters} characters of Unicode`);

/** Half a surrogate pair would become another character in the table, and two devices one. */
export function isStorableDeviceId(value: unknown): value is string {
  return typeof value === 'string' && isDeviceIdText(value) && !LONE_SURROGATE.test(value);
}
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Time of a Kafka record in milliseconds: microseconds of it must be exact. A producer may write any number there. */
const MAX_RECORD_MILLIS = Math.floor(Number.MAX_SAFE_INTEGER / MICROS_PER_MILLI);

export function isStorableRecordTime(millis: number): boolean {
  return Number.isSafeInteger(millis) && Math.abs(millis) <= MAX_RECORD_MILLIS;
}

/** A message of columns whose rows do not fit together; undefined when all have as many values as the first. */
export function raggedColumn(
  columns: Readonly<Record<string, readonly unknown[] | undefined>>,
): string | undefined {
  const given = Object.entries(columns).flatMap(([name, values]) =>
    values ? [[name, values] as const] : [],
  );
  const [first] = given;
  const ragged = given.find(([, values]) => values.length !== first?.[1].length);
  if (first === undefined || ragged === undefined) return undefined;
  return `${ragged[0]} has ${ragged[1].length} values, ${first[0]} has ${first[1].length}`;
}

/** Lists of one value a device must be equally long: a table has no row with a part missing. */
export function columnsFit({ value, issues }: z.core.ParsePayload<object>): void {
  const columns = Object.entries(value).filter((entry): entry is [string, unknown[]] =>
    Array.isArray(entry[1]),
  );
  const message = raggedColumn(Object.fromEntries(columns));
  if (message !== undefined) issues.push({ code: 'custom', message, input: value });
}
