import { MICROS_PER_MILLI, MICROS_PER_SECOND, type Micros } from '../../contracts/time';

/**
 * Event time from its two spellings. Both give whole microseconds or NaN, never anything that depends on the machine's
 * zone: an ISO string without a zone is UTC.
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

/**
 * ISO 8601 in `bytes[start, end)`: date, `T` or a space, hours and minutes, then optionally seconds, a fraction
 * (digits beyond microseconds are cut off) and a zone (`Z`, `±hh`, `±hhmm`, `±hh:mm`). A date alone is its midnight.
 *
 * @returns NaN for anything else, for a day or hour that does not exist, and for years (before 1685, after 2255) whose
 *   microseconds a double cannot hold exactly.
 */
export function microsOfIso(bytes: Uint8Array, start: number, end: number): Micros {
  if (end - start === DATE_LENGTH) return checked(daysOfDate(bytes, start) * SECONDS_PER_DAY, 0);
  if (end - start < MINUTE_LENGTH) return NaN;
  const minutes = isRecentMinute(bytes, start) ? recentSeconds : secondsOfMinute(bytes, start);

  let at = start + MINUTE_LENGTH;
  let second = 0;
  let micros = 0;
  if (at < end && bytes[at] === COLON) {
    if (at + 3 > end) return NaN;
    second = twoDigits(bytes, at + 1);
    if (!(second < 60)) return NaN;
    at += 3;
    if (at < end && (bytes[at] === DOT || bytes[at] === COMMA)) {
      const firstDigit = at + 1;
      for (at = firstDigit; at < end && isDigit(bytes[at] ?? 0); at += 1) {
        micros += ((bytes[at] ?? 0) - ZERO) * (FRACTION_WEIGHTS[at - firstDigit] ?? 0);
      }
      if (at === firstDigit) return NaN;
    }
  }
  return checked(minutes + second - zoneSeconds(bytes, at, end), micros);
}

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

/** Seconds since 1970 of `yyyy-mm-ddThh:mm`, NaN for anything else. */
function secondsOfMinute(bytes: Uint8Array, start: number): number {
  const separator = bytes[start + DATE_LENGTH];
  if (separator !== UPPER_T && separator !== LOWER_T && separator !== SPACE) return NaN;
  const hour = twoDigits(bytes, start + 11);
  const minute = twoDigits(bytes, start + 14);
  if (!(hour < 24 && minute < 60) || bytes[start + 13] !== COLON) return NaN;
  for (let i = 0; i < MINUTE_LENGTH; i += 1) recentMinute[i] = bytes[start + i] ?? 0;
  recentSeconds = daysOfDate(bytes, start) * SECONDS_PER_DAY + hour * 3_600 + minute * 60;
  return recentSeconds;
}

/** Seconds since 1970 and microseconds put together, NaN where the sum would not be exact. */
function checked(seconds: number, micros: number): Micros {
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
