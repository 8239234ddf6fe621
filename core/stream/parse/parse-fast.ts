import { microsOfIso, microsOfMillis } from '../../contracts/timestamps';
import { type EventFields, HASH_FACTOR, HASH_START, type Label } from './event';
import { MAX_DEVICE_ID_LENGTH, MAX_READING } from '../limits';

/**
 * The fast way to read an event: one pass over the bytes of a flat JSON object with nothing but known keys, printable
 * ASCII strings without escapes, and plain values. It never judges: whatever it does not know for certain to be a good
 * event it hands on, by returning false, to `parseCarefully`, and the two must agree on everything it accepts.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7f;

const KEY = {
  unknown: 0,
  deviceId: 1,
  timestamp: 2,
  temperature: 4,
  humidity: 8,
  pressure: 16,
  label: 32,
  data: 64,
  recordTimestamp: 128,
} as const;

const DEVICE_ID = ascii('device_id');
const TIMESTAMP = ascii('timestamp');
const TEMPERATURE = ascii('temperature');
const HUMIDITY = ascii('humidity');
const PRESSURE = ascii('pressure');
const LABEL = ascii('label');
const DATA = ascii('data');
const RECORD_TIMESTAMP = ascii('record_timestamp');

/** Each key as it stands in most events: in quotes, a colon right behind it. By the key's number. */
const KEYS_WITH_COLON = Array.from<Uint8Array | undefined>({ length: KEY.recordTimestamp + 1 });
KEYS_WITH_COLON[KEY.deviceId] = ascii('"device_id":');
KEYS_WITH_COLON[KEY.timestamp] = ascii('"timestamp":');
KEYS_WITH_COLON[KEY.temperature] = ascii('"temperature":');
KEYS_WITH_COLON[KEY.humidity] = ascii('"humidity":');
KEYS_WITH_COLON[KEY.pressure] = ascii('"pressure":');
KEYS_WITH_COLON[KEY.label] = ascii('"label":');
KEYS_WITH_COLON[KEY.data] = ascii('"data":');
KEYS_WITH_COLON[KEY.recordTimestamp] = ascii('"record_timestamp":');

/** The keys of the event before, in its order: a fleet's events are alike, so that comparing is enough. */
const usualKeys: (typeof KEY)[keyof typeof KEY][] = [];

const NULL = ascii('null');
const TRUE = ascii('true');
const FALSE = ascii('false');

/**
 * Whole numbers of up to 15 digits and powers of ten up to 10^22 are exact doubles, so their quotient is the correctly
 * rounded value of the decimal (Clinger 1990). Longer numbers go to the engine's own conversion.
 */
const EXACT_DIGITS = 15;
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS + 1 }, (_, exponent) => 10 ** exponent);

/** Position after the last thing read; −1 = handed on. One scan runs at a time, so one cell serves all. */
let cursor = 0;

/** Read `bytes[start, end)` into `event`; false = hand it to the careful parser (and `event` is not to be used). */
export function scanEvent(
  bytes: Uint8Array,
  event: EventFields,
  start = 0,
  end: number = bytes.length,
): boolean {
  let at = skipBlanks(bytes, start, end);
  if (at >= end || bytes[at] !== OPEN) return false;
  at = skipBlanks(bytes, at + 1, end);
  let seen = 0;
  let data = NaN;
  event.humidity = NaN;
  event.pressure = NaN;
  event.label = -1;
  event.recordMicros = NaN;

  for (let place = 0; ; place += 1) {
    let key = usualKeys[place] ?? KEY.unknown;
    const usual = KEYS_WITH_COLON[key];
    if (usual !== undefined && at + usual.length < end && matches(bytes, at, usual)) {
      at += usual.length;
      at = skipBlanks(bytes, at, end);
    } else {
      if (at >= end || bytes[at] !== QUOTE) return false;
      const keyStart = at + 1;
      const keyEnd = endOfString(bytes, keyStart, end);
      if (keyEnd < 0) return false;
      key = keyOf(bytes, keyStart, keyEnd);
      at = skipBlanks(bytes, keyEnd + 1, end);
      if (at >= end || bytes[at] !== COLON) return false;
      at = skipBlanks(bytes, at + 1, end);
      usualKeys[place] = key;
    }
    if (at >= end || key === KEY.unknown || (seen & key) !== 0) return false;
    seen |= key;

    switch (key) {
      case KEY.deviceId:
        if (!scanId(bytes, at, end, event)) return false;
        break;
      case KEY.timestamp:
        event.micros = scanTimestamp(bytes, at, end);
        break;
      case KEY.recordTimestamp:
        event.recordMicros = scanTimestamp(bytes, at, end);
        break;
      case KEY.temperature:
        event.temperature = scanReading(bytes, at, end);
        break;
      case KEY.data:
        data = scanReading(bytes, at, end);
        break;
      case KEY.humidity:
        event.humidity = scanOptionalReading(bytes, at, end);
        break;
      case KEY.pressure:
        event.pressure = scanOptionalReading(bytes, at, end);
        break;
      case KEY.label:
        event.label = scanLabel(bytes, at, end);
        break;
    }
    if (cursor < 0) return false;

    at = bytes[cursor] === COMMA ? cursor : skipBlanks(bytes, cursor, end);
    if (at >= end) return false;
    const next = bytes[at];
    at = bytes[at + 1] === QUOTE ? at + 1 : skipBlanks(bytes, at + 1, end);
    if (next === COMMA) continue;
    if (next !== CLOSE || at < end) return false;
    break;
  }

  const needed = KEY.deviceId | KEY.timestamp;
  if ((seen & needed) !== needed) return false;
  if ((seen & KEY.temperature) === 0) {
    if ((seen & KEY.data) === 0) return false;
    event.temperature = data;
  }
  return true;
}

function keyOf(bytes: Uint8Array, start: number, end: number): (typeof KEY)[keyof typeof KEY] {
  switch (end - start) {
    case 4:
      return matches(bytes, start, DATA) ? KEY.data : KEY.unknown;
    case 5:
      return matches(bytes, start, LABEL) ? KEY.label : KEY.unknown;
    case 8:
      if (matches(bytes, start, HUMIDITY)) return KEY.humidity;
      return matches(bytes, start, PRESSURE) ? KEY.pressure : KEY.unknown;
    case 9:
      if (matches(bytes, start, DEVICE_ID)) return KEY.deviceId;
      return matches(bytes, start, TIMESTAMP) ? KEY.timestamp : KEY.unknown;
    case 11:
      return matches(bytes, start, TEMPERATURE) ? KEY.temperature : KEY.unknown;
    case 16:
      return matches(bytes, start, RECORD_TIMESTAMP) ? KEY.recordTimestamp : KEY.unknown;
    default:
      return KEY.unknown;
  }
}

function matches(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i += 1) {
    if (bytes[start + i] !== word[i]) return false;
  }
  return true;
}

/** Position of the closing quote of a string of plain ASCII, else −1. */
function endOfString(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at;
    if (byte < FIRST_PRINTABLE || byte > LAST_ASCII || byte === BACKSLASH) return -1;
  }
  return -1;
}

function scanId(bytes: Uint8Array, at: number, end: number, event: EventFields): boolean {
  if (bytes[at] !== QUOTE) return false;
  const start = at + 1;
  let hash = HASH_START;
  for (let position = start; position < end; position += 1) {
    const byte = bytes[position] ?? 0;
    if (byte === QUOTE) {
      const length = position - start;
      if (length === 0 || length > MAX_DEVICE_ID_LENGTH) return false;
      event.idBytes = bytes;
      event.idStart = start;
      event.idEnd = position;
      event.idHash = hash;
      cursor = position + 1;
      return true;
    }
    if (byte < FIRST_PRINTABLE || byte > LAST_ASCII || byte === BACKSLASH) return false;
    hash = Math.imul(hash ^ byte, HASH_FACTOR);
  }
  return false;
}

function scanTimestamp(bytes: Uint8Array, at: number, end: number): number {
  let micros: number;
  if (bytes[at] === QUOTE) {
    const close = endOfString(bytes, at + 1, end);
    if (close < 0) return handOn();
    micros = microsOfIso(bytes, at + 1, close);
    cursor = close + 1;
  } else {
    const millis = scanNumber(bytes, at, end);
    if (cursor < 0) return NaN;
    micros = microsOfMillis(millis);
  }
  return Number.isNaN(micros) ? handOn() : micros;
}

function scanReading(bytes: Uint8Array, at: number, end: number): number {
  const value = scanNumber(bytes, at, end);
  return value <= MAX_READING && value >= -MAX_READING ? value : handOn();
}

function scanOptionalReading(bytes: Uint8Array, at: number, end: number): number {
  if (at + NULL.length <= end && matches(bytes, at, NULL)) {
    cursor = at + NULL.length;
    return NaN;
  }
  return scanReading(bytes, at, end);
}

/** What follows the literal is checked by the caller, which expects a comma or the end of the object. */
function scanLabel(bytes: Uint8Array, at: number, end: number): Label {
  const first = bytes[at];
  if (first === ZERO || first === ONE) {
    cursor = at + 1;
    return first === ONE ? 1 : 0;
  }
  if (at + FALSE.length <= end && matches(bytes, at, FALSE)) {
    cursor = at + FALSE.length;
    return 0;
  }
  if (at + TRUE.length <= end) {
    cursor = at + TRUE.length;
    if (matches(bytes, at, TRUE)) return 1;
    if (matches(bytes, at, NULL)) return -1;
  }
  cursor = -1;
  return -1;
}

/** A JSON number; −0 becomes 0, so that no row can show a sign that no sensor sent. */
function scanNumber(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const negative = bytes[at] === MINUS;
  if (negative) at += 1;
  const integerStart = at;
  let mantissa = 0;
  for (; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte < ZERO || byte > NINE) break;
    mantissa = mantissa * 10 + (byte - ZERO);
  }
  let digits = at - integerStart;
  if (digits === 0 || (digits > 1 && bytes[integerStart] === ZERO)) return handOn();
  let decimals = 0;
  if (at < end && bytes[at] === DOT) {
    const fractionStart = at + 1;
    for (at = fractionStart; at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte < ZERO || byte > NINE) break;
      mantissa = mantissa * 10 + (byte - ZERO);
    }
    decimals = at - fractionStart;
    if (decimals === 0) return handOn();
    digits += decimals;
  }
  let exact = digits <= EXACT_DIGITS;
  if (at < end && (bytes[at] === LOWER_E || bytes[at] === UPPER_E)) {
    exact = false;
    at += 1;
    if (at < end && (bytes[at] === PLUS || bytes[at] === MINUS)) at += 1;
    const exponentStart = at;
    while (at < end && (bytes[at] ?? 0) >= ZERO && (bytes[at] ?? 0) <= NINE) at += 1;
    if (at === exponentStart) return handOn();
  }
  cursor = at;
  if (exact) {
    const magnitude = decimals === 0 ? mantissa : mantissa / (POWERS_OF_TEN[decimals] ?? NaN);
    return negative ? 0 - magnitude : magnitude;
  }
  return Number(String.fromCharCode(...bytes.subarray(start, at))) + 0;
}

function handOn(): number {
  cursor = -1;
  return NaN;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
