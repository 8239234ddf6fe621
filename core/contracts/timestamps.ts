import { z } from 'zod';
import { MICROS_PER_MILLI, MICROS_PER_SECOND, type Micros } from './time';

/**
 * The one grammar of time: which texts and numbers are instants, for every reader of events, files and settings. Each rule
 * stands here twice, for TypeScript and for DuckDB; `test/support/timestamps.ts` and random texts hold the two together.
 *
 * - A date, `2026-01-31`, is its midnight in UTC. It takes no zone.
 * - A date, then `T`, `t` or one blank, then `hh:mm`, `hh:mm:ss` or `hh:mm:ss` with a fraction, then optionally a zone. This
 *   is RFC 3339 and ISO 8601's extended format. Years have four digits, everything else has two.
 * - The fraction stands behind `.` or `,` and has any number of digits. Digits beyond microseconds are cut off.
 * - The zone is `Z`, `z`, `±hh`, `±hhmm` or `±hh:mm`, hours below 24 and minutes below 60. Without a zone it is UTC.
 * - Second 60 is the first second of the next minute. `24:00`, with nothing but zeros behind it, is the day's end.
 * - A number is milliseconds since 1970, possibly with a fraction, to the nearest microsecond. Its text, as JSON spells it, is
 *   one too in files, which may have nothing but texts; a string of JSON, which has numbers, is none.
 * - Instants whose microseconds a double cannot hold exactly (before 1685, after 2255) are none.
 */

const ZERO = 0x30;
const NINE = 0x39;
const MINUS = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const DOT = 0x2e;
const COMMA = 0x2c;
const UPPER_T = 0x54;
const LOWER_T = 0x74;
const UPPER_Z = 0x5a;
const LOWER_Z = 0x7a;
const SPACE = 0x20;
const LAST_ASCII = 0x7f;

/** Of `2020-01-01` and `2020-01-01T00:00`: the shortest forms there are. */
const DATE_LENGTH = 10;
const MINUTE_LENGTH = 16;
const SECONDS_PER_DAY = 86_400;
const FRACTION_WEIGHTS = [100_000, 10_000, 1_000, 100, 10, 1];

/** Milliseconds since 1970, possibly with a fraction, to the nearest microsecond; NaN where that is no longer exact. */
export function microsOfMillis(millis: number): Micros {
  const micros = Math.round(millis * MICROS_PER_MILLI) + 0;
  return Number.isSafeInteger(micros) ? micros : NaN;
}

/** The instant that `bytes[start, end)` spells, or NaN. Allocates nothing: it runs once for every event of the stream. */
export function microsOfIso(bytes: Uint8Array, start: number, end: number): Micros {
  if (end - start === DATE_LENGTH) return exactMicros(daysOfDate(bytes, start) * SECONDS_PER_DAY, 0);
  if (end - start < MINUTE_LENGTH) return NaN;
  const minutes = isRecentMinute(bytes, start) ? recentSeconds : secondsOfMinute(bytes, start, end);

  let at = start + MINUTE_LENGTH;
  let second = 0;
  let micros = 0;
  if (at < end && bytes[at] === COLON) {
    if (at + 3 > end) return NaN;
    second = twoDigits(bytes, at + 1);
    if (!(second <= 60)) return NaN;
    at += 3;
    if (at < end && (bytes[at] === DOT || bytes[at] === COMMA)) {
      const firstDigit = at + 1;
      for (at = firstDigit; at < end && isDigit(bytes[at] ?? 0); at += 1) {
        micros += ((bytes[at] ?? 0) - ZERO) * (FRACTION_WEIGHTS[at - firstDigit] ?? 0);
      }
      if (at === firstDigit) return NaN;
    }
  }
  return exactMicros(minutes + second - zoneSeconds(bytes, at, end), micros);
}

/** The instant that a text spells, or NaN: a string of JSON, a setting, an answer of a server. */
export function microsOfText(text: string): Micros {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > LAST_ASCII) return NaN;
    bytes[at] = code;
  }
  return microsOfIso(bytes, 0, bytes.length);
}

const BAD_TEXT = 'a timestamp is ISO 8601, such as 2026-01-31T12:00:00Z';
const DATE_PATTERN = '[0-9]{4}-[0-9]{2}-[0-9]{2}';
/** Every form there is, but for days that do not exist and what must not follow `24:00`. */
const ISO_PATTERN =
  `^(${DATE_PATTERN})(?:[Tt ]([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]|60)(?:[.,]([0-9]+))?)?` +
  '(?:[Zz]|([+-])([01][0-9]|2[0-3])(?::?([0-5][0-9]))?)?)?$';

/** A timestamp in a message or a setting, as text. */
export const timestampTextSchema = z
  .string()
  .regex(new RegExp(ISO_PATTERN), BAD_TEXT)
  .refine((text) => !Number.isNaN(microsOfText(text)), BAD_TEXT);

/**
 * The instant in a cell of a CSV file, or NaN: a text, or a number in JSON's spelling. Blanks and tabs around it are cut off
 * first, because columns are aligned with them; any other blank, such as a no-break space, is part of the text and makes it bad.
 */
export function microsOfCell(cell: string): Micros {
  const text = cell.replace(/^[ \t]+|[ \t]+$/g, '');
  return JSON_NUMBER.test(text) ? microsOfMillis(Number(text)) : microsOfText(text);
}

const NUMBER_PATTERN = '-?(?:0|[1-9][0-9]*)(?:[.][0-9]+)?(?:[eE][+-]?[0-9]+)?';
const JSON_NUMBER = new RegExp(`^${NUMBER_PATTERN}$`);

/** `yyyy-mm-ddThh:mm` of the event before and its seconds since 1970: events of one minute come in thousands. */
const recentMinute = new Uint8Array(MINUTE_LENGTH);
let recentSeconds = NaN;

function isRecentMinute(bytes: Uint8Array, start: number): boolean {
  // From the end, where they differ first.
  for (let i = MINUTE_LENGTH - 1; i >= 0; i -= 1) {
    if (bytes[start + i] !== recentMinute[i]) return false;
  }
  return true;
}

/** Seconds since 1970 of `yyyy-mm-ddThh:mm` at `start`, NaN for anything else and for a day's end with a second behind it. */
function secondsOfMinute(bytes: Uint8Array, start: number, end: number): number {
  const separator = bytes[start + DATE_LENGTH];
  if (separator !== UPPER_T && separator !== LOWER_T && separator !== SPACE) return NaN;
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  if (!(hour <= 24 && minute < 60) || bytes[start + 13] !== COLON) return NaN;
  const seconds = daysOfDate(bytes, start) * SECONDS_PER_DAY + hour * 3_600 + minute * 60;
  // Not kept as the recent minute: its seconds have to be looked at each time.
  if (hour === 24) return minute === 0 && isZeroUpToZone(bytes, start + MINUTE_LENGTH, end) ? seconds : NaN;
  for (let i = 0; i < MINUTE_LENGTH; i += 1) recentMinute[i] = bytes[start + i] ?? 0;
  recentSeconds = seconds;
  return seconds;
}

/** Whether seconds and their fraction are 0 in every digit; their spelling is checked elsewhere. */
function isZeroUpToZone(bytes: Uint8Array, from: number, end: number): boolean {
  let at = from;
  while (at < end && (bytes[at] === ZERO || bytes[at] === COLON || bytes[at] === DOT || bytes[at] === COMMA))
    at += 1;
  return at === end || !isDigit(bytes[at] ?? 0);
}

/** Seconds since 1970 and microseconds put together, NaN where the sum would not be exact. */
function exactMicros(seconds: number, micros: number): Micros {
  const total = seconds * MICROS_PER_SECOND + micros;
  return Number.isSafeInteger(total) ? total : NaN;
}

/** Offset from UTC written in `bytes[at, end)`; nothing there means UTC. */
function zoneSeconds(bytes: Uint8Array, at: number, end: number): number {
  const length = end - at;
  if (length === 0) return 0;
  const sign = bytes[at];
  if (length === 1) return sign === UPPER_Z || sign === LOWER_Z ? 0 : NaN;
  if (sign !== PLUS && sign !== MINUS) return NaN;
  const hours = length >= 3 ? twoDigits(bytes, at + 1) : NaN;
  let minutes = NaN;
  if (length === 3) minutes = 0;
  else if (length === 5) minutes = twoDigits(bytes, at + 3);
  else if (length === 6 && bytes[at + 3] === COLON) minutes = twoDigits(bytes, at + 4);
  if (!(hours < 24 && minutes < 60)) return NaN;
  return (sign === MINUS ? -1 : 1) * (hours * 3_600 + minutes * 60);
}

/** Days since 1970 of `yyyy-mm-dd` (proleptic Gregorian), NaN for a date that does not exist. */
function daysOfDate(bytes: Uint8Array, start: number): number {
  if (bytes[start + 4] !== MINUS || bytes[start + 7] !== MINUS) return NaN;
  const year = twoDigits(bytes, start) * 100 + twoDigits(bytes, start + 2);
  const month = twoDigits(bytes, start + 5);
  const day = twoDigits(bytes, start + 8);
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= daysOfMonth(year, month))) return NaN;
  return daysFromCivil(year, month, day);
}

/** Days since 1970 (Hinnant 2013): years begin in March, so that the leap day comes last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

function daysOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function twoDigits(bytes: Uint8Array, at: number): number {
  const tens = bytes[at] ?? 0;
  const ones = bytes[at + 1] ?? 0;
  return isDigit(tens) && isDigit(ones) ? (tens - ZERO) * 10 + (ones - ZERO) : NaN;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

// The same grammar in DuckDB's SQL. A bare cast would take `2026/1/1`, drop `+02:00` or follow the session's zone, so that a cast
// is used only for texts whose shape is certain; it refuses days and hours that do not exist by itself.

/** Years that are certainly in range; their texts begin with a digit, and not with a blank or a sign. */
const USUAL_YEARS = `BETWEEN '1685' AND '2255'`;
const PLAIN_PATTERN = `${DATE_PATTERN}[T ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?`;
const OFFSET_PATTERN = '[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]';
/** Whole milliseconds that are certainly in range. */
const MILLIS_PATTERN = '-?(?:0|[1-8][0-9]{0,12}|9[0-9]{0,11})';
const ISO_PARTS = ['date', 'hour', 'minute', 'second', 'fraction', 'sign', 'zone_hour', 'zone_minute'];

/** SQL that turns a cell of a CSV file into a TIMESTAMP in UTC, or NULL: the same instants as `microsOfCell`. */
export function timestampOfCell(cell: string): string {
  return timestampOfText(cell, `trim(${cell}, ' ' || chr(9))`);
}

/** SQL that turns a column of a Parquet file, of a type as DESCRIBE names it, into a TIMESTAMP in UTC, or NULL. */
export function timestampOfColumn(column: string, type: string): string {
  if (type.includes('INT') && isNumberType(type)) {
    const most = Math.floor(Number.MAX_SAFE_INTEGER / MICROS_PER_MILLI);
    return `CASE WHEN ${column} BETWEEN -${most} AND ${most} THEN make_timestamp(CAST(${column} AS BIGINT) * 1000) END`;
  }
  if (isNumberType(type)) return `make_timestamp(${microsOfNumber(`CAST(${column} AS DOUBLE)`)})`;
  if (type === 'TIMESTAMP WITH TIME ZONE') return exactTimestamp(`make_timestamp(epoch_us(${column}))`);
  const cast = `TRY_CAST(${column} AS TIMESTAMP)`;
  // The cast cuts off towards zero, which before 1970 is upwards.
  if (type === 'TIMESTAMP_NS')
    return exactTimestamp(
      `CASE WHEN epoch_ns(${column}) >= 0 THEN ${cast} ELSE make_timestamp((epoch_ns(${column}) - 999) // 1000) END`,
    );
  if (/^(TIMESTAMP|DATE)/.test(type)) return exactTimestamp(cast);
  return timestampOfText(`CAST(${column} AS VARCHAR)`);
}

/** Whether a type of DuckDB holds numbers. */
export function isNumberType(type: string): boolean {
  return /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))$/.test(type);
}

/** @param trimmed the text without what may stand around it; the frequent forms are looked for as they are. */
function timestampOfText(text: string, trimmed = text): string {
  const isLike = (of: string, pattern: string): string => `regexp_full_match(${of}, '${pattern}')`;
  return `coalesce(${usualTimestamp(text)}, CASE
    WHEN ${isLike(text, MILLIS_PATTERN)} THEN make_timestamp(TRY_CAST(${text} AS BIGINT) * 1000)
    WHEN ${text} ${USUAL_YEARS} AND ${isLike(text, `${PLAIN_PATTERN}Z?`)} THEN TRY_CAST(${text} AS TIMESTAMP)
    WHEN ${text} ${USUAL_YEARS} AND ${isLike(text, PLAIN_PATTERN + OFFSET_PATTERN)}
      THEN make_timestamp(epoch_us(TRY_CAST(${text} AS TIMESTAMPTZ)))
    WHEN ${isLike(trimmed, NUMBER_PATTERN)} THEN make_timestamp(
      list_transform([TRY_CAST(${trimmed} AS DOUBLE)], lambda millis: ${microsOfNumber('millis')})[1])
    ELSE list_transform(${microsOfParts(trimmed)}, lambda micros: ${exactTimestamp('make_timestamp(micros)')})[1] END)`;
}

/** What stands behind the seconds in the forms that programs write most. */
const USUAL_TAILS = ['Z', '.___Z', '.______Z', '+00:00'];

/**
 * SQL that takes the usual forms at little more than the cost of a cast. NULL is no verdict: other forms are to be tried.
 *
 * A shape holds the separators in their places, and digits wherever the cast would also take a blank, a dot or nothing: at the hour,
 * before a blank, at the last second. (Between a dot and `Z`, it takes digits alone.) `hamming` counts the places where two texts
 * of one length differ, in a third of GLOB's time; from a shape's `_` every character differs.
 */
function usualTimestamp(text: string): string {
  const branch = (length: number, condition: string): string =>
    `WHEN ${length} THEN CASE WHEN ${text} ${USUAL_YEARS} AND ${condition} THEN TRY_CAST(${text} AS TIMESTAMP) END`;
  const withTail = USUAL_TAILS.map((tail) => {
    const shapes = ['T1', 'T0', 'T2'].map((hour) => `____-__-__${hour}_:__:__${tail}`);
    const differing = (`${shapes[0]}`.match(/_/g) ?? []).length;
    const isShaped = shapes.map((shape) => `hamming(${text}, '${shape}') = ${differing}`).join(' OR ');
    const hasLastDigit = tail.startsWith('.') ? '' : ` AND NOT suffix(${text}, '.${tail}')`;
    return branch(19 + tail.length, `(${isShaped})${hasLastDigit}`);
  });
  const glob = '????-??-?[0-9]';
  return `CASE strlen(${text}) ${withTail.join(' ')}
    ${branch(19, `${text} GLOB '${glob}[T ][0-2]?:??:?[0-9]'`)} ${branch(10, `${text} GLOB '${glob}'`)} END`;
}

/** SQL of a list of one, the microseconds of a text in any form; NULL where it is none. */
function microsOfParts(text: string): string {
  const number = (digits: string): string => `CAST('0' || ${digits} AS BIGINT)`;
  return `list_transform([regexp_extract(${text}, '${ISO_PATTERN}', ['${ISO_PARTS.join("', '")}'])], lambda parts:
    CASE WHEN parts.hour <> '24' OR trim(parts.minute || parts.second || parts.fraction, '0') = '' THEN
      epoch_us(TRY_CAST(parts.date AS TIMESTAMP)) + CAST(rpad(parts.fraction, 6, '0') AS BIGINT) + 1000000 * (
        3600 * ${number('parts.hour')} + 60 * ${number('parts.minute')} + ${number('parts.second')}
        - CASE parts.sign WHEN '-' THEN -60 ELSE 60 END * (60 * ${number('parts.zone_hour')} + ${number('parts.zone_minute')}))
    END)`;
}

/** SQL of `microsOfMillis`: half a microsecond goes up, as `Math.round` has it, and NULL where it is no longer exact. */
function microsOfNumber(millis: string): string {
  return `CASE WHEN abs(${millis} * 1000) <= ${Number.MAX_SAFE_INTEGER}
    THEN CAST(ceil(floor(${millis} * 2000) / 2) AS BIGINT) END`;
}

/** @param timestamp SQL of a TIMESTAMP, used twice. NULL where its microseconds are no longer exact. */
function exactTimestamp(timestamp: string): string {
  const most = Number.MAX_SAFE_INTEGER;
  return `CASE WHEN ${timestamp} BETWEEN make_timestamp(-${most}) AND make_timestamp(${most}) THEN ${timestamp} END`;
}
