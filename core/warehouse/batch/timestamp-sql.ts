import { MICROS_PER_MILLI, MICROS_PER_SECOND, type Micros } from '../../contracts/time';

/**
 * Timestamps of files: ISO 8601 (without a zone it is UTC) or epoch milliseconds. DuckDB's own cast to TIMESTAMP drops an
 * offset, and to TIMESTAMPTZ keeps the zone of one row for the next, so both are spelt out here, in SQL for counting and in
 * TypeScript for saying which line is broken.
 */
const DATE = String.raw`[0-9]{4}-[0-9]{2}-[0-9]{2}`;
const CLOCK = String.raw`[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.][0-9]{1,9})?)?`;
const OFFSET = String.raw`[+-][0-9]{2}(?::?[0-9]{2})?`;
const EPOCH_MILLIS = '-?[0-9]{1,15}';

/** SQL that turns the text in `column` (SQL of our own) into a TIMESTAMP in UTC, or NULL. */
export function momentOfText(column: string): string {
  // The first two branches take nearly every row at the cost of a look at its last character or length.
  return `CASE
    WHEN suffix(${column}, 'Z') THEN TRY_CAST(${column} AS TIMESTAMP)
    WHEN (strlen(${column}) = 19 AND ${column}[17] = ':') OR (strlen(${column}) = 10 AND ${column}[5] = '-')
      THEN TRY_CAST(${column} AS TIMESTAMP)
    WHEN regexp_full_match(${column}, '${EPOCH_MILLIS}') THEN make_timestamp(TRY_CAST(${column} AS BIGINT) * 1000)
    WHEN regexp_full_match(${column}, '${DATE}[T ]${CLOCK}') THEN TRY_CAST(${column} AS TIMESTAMP)
    WHEN regexp_full_match(${column}, '${DATE}[T ]${CLOCK}${OFFSET}') THEN
      TRY_CAST(regexp_replace(${column}, '${OFFSET}$', '') AS TIMESTAMP) - to_minutes(
        CASE WHEN regexp_extract(${column}, '${OFFSET}$')[1] = '-' THEN -1 ELSE 1 END
        * (60 * TRY_CAST(regexp_extract(${column}, '${OFFSET}$')[2:3] AS INTEGER)
           + coalesce(TRY_CAST(replace(regexp_extract(${column}, '${OFFSET}$')[4:], ':', '') AS INTEGER), 0)))
  END`;
}

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/** The same for one text; undefined for what is no timestamp. Digits beyond microseconds are cut off. */
export function parseMoment(text: string): Micros | undefined {
  if (/^-?\d{1,15}$/.test(text)) return Number(text) * MICROS_PER_MILLI;
  const parts = ISO.exec(text);
  if (parts === null) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = parts;
  const millis = Date.UTC(Number(year), Number(month) - 1, Number(day));
  const midnight = new Date(millis);
  const isOnCalendar = midnight.getUTCMonth() === Number(month) - 1 && midnight.getUTCDate() === Number(day);
  if (!isOnCalendar || Number(minute) > 59 || Number(second) > 59) return undefined;
  const micros = Number(fraction.slice(0, 6).padEnd(6, '0'));
  const ofDay = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  if (ofDay > 86_400 || (ofDay === 86_400 && micros > 0)) return undefined;
  return millis * MICROS_PER_MILLI + (ofDay - offsetSeconds(zone)) * MICROS_PER_SECOND + micros;
}

function offsetSeconds(zone: string): number {
  if (zone === 'Z') return 0;
  const digits = zone.slice(1).replace(':', '');
  const seconds = Number(digits.slice(0, 2)) * 3_600 + Number(digits.slice(2) || '0') * 60;
  return zone.startsWith('-') ? -seconds : seconds;
}
