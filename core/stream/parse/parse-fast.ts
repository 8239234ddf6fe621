import { ROW_LIMITS } from '../../contracts/limits';
import { EVENT_FIELDS, type Sensors, sensorsOf } from '../../contracts/task';
import { microsOfIso, microsOfMillis } from '../../contracts/timestamps';
import { type EventFields, finishHash, HASH_FACTOR, HASH_START, type Label } from './event';
import {
  ascii,
  endOfString,
  FIRST_PRINTABLE,
  JsonScanner,
  LAST_ASCII,
  matches,
  skipBlanks,
} from './json-scanner';

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const ONE = 0x31;

const NULL = ascii('null');
const TRUE = ascii('true');
const FALSE = ascii('false');

const MAX_ID_BYTES = ROW_LIMITS.deviceIdCharacters;
const MAX_READING = ROW_LIMITS.reading;

/** Numbers of keys: the event's own fields in the order of `EVENT_FIELDS`, then the sensors. */
const [DEVICE_ID, TIMESTAMP, RECORD_TIMESTAMP, LABEL, DATA] = [0, 1, 2, 3, 4] as const;
const FIRST_SENSOR = EVENT_FIELDS.length;
const UNKNOWN = -1;
const NEEDED = (1 << DEVICE_ID) | (1 << TIMESTAMP);

/**
 * The fast parser: one pass over the bytes of a flat JSON object with known keys only, printable ASCII strings without
 * escapes, and plain values. It never rejects: everything else falls back to `StrictParser`. The two must agree on every
 * event that this one accepts.
 */
export class FastParser extends JsonScanner {
  private readonly keys: readonly Uint8Array[];
  /** Each key as most events have it: in quotes, a colon right behind it. */
  private readonly keysWithColon: readonly Uint8Array[];
  /** The keys of the latest event, in its order: a fleet's events are alike, so comparing is nearly always enough. */
  private readonly usualKeys: number[] = [];
  /** Characters of the latest timestamp. */
  private usualTimestamp = 0;

  constructor(sensors: Sensors) {
    super();
    const names = [...EVENT_FIELDS, ...sensorsOf(sensors)];
    this.keys = names.map(ascii);
    this.keysWithColon = names.map((name) => ascii(`"${name}":`));
  }

  /** Read `bytes[start, end)` into `event`; false = give it to the strict parser (and `event` is not to be used). */
  parse(bytes: Uint8Array, event: EventFields, start = 0, end: number = bytes.length): boolean {
    let at = skipBlanks(bytes, start, end);
    if (at >= end || bytes[at] !== OPEN) return false;
    at = skipBlanks(bytes, at + 1, end);
    let seen = 0;
    const { values } = event;
    for (let sensor = 0; sensor < values.length; sensor += 1) values[sensor] = NaN;
    event.label = -1;
    event.recordMicros = NaN;
    let data = NaN;

    for (let place = 0; ; place += 1) {
      let key = this.usualKeys[place] ?? UNKNOWN;
      const usual = this.keysWithColon[key];
      if (usual !== undefined && at + usual.length < end && matches(bytes, at, usual)) {
        at = skipBlanks(bytes, at + usual.length, end);
      } else {
        key = this.scanKey(bytes, at, end);
        at = this.cursor;
        this.usualKeys[place] = key;
      }
      if (at >= end || key === UNKNOWN || (seen & (1 << key)) !== 0) return false;
      seen |= 1 << key;

      if (key >= FIRST_SENSOR) values[key - FIRST_SENSOR] = this.scanReadingOrNull(bytes, at, end);
      else if (key === DATA) data = this.scanReading(bytes, at, end);
      else this.scanField(key, bytes, at, end, event);
      if (this.cursor < 0) return false;

      at = bytes[this.cursor] === COMMA ? this.cursor : skipBlanks(bytes, this.cursor, end);
      if (at >= end) return false;
      const next = bytes[at];
      at = bytes[at + 1] === QUOTE ? at + 1 : skipBlanks(bytes, at + 1, end);
      if (next === COMMA) continue;
      if (next !== CLOSE || at < end) return false;
      break;
    }

    if ((seen & NEEDED) !== NEEDED) return false;
    if (Number.isNaN(values[0])) values[0] = data;
    return !Number.isNaN(values[0]);
  }

  private scanField(key: number, bytes: Uint8Array, at: number, end: number, event: EventFields): void {
    switch (key) {
      case DEVICE_ID:
        this.scanId(bytes, at, end, event);
        break;
      case TIMESTAMP:
        event.micros = this.scanTimestamp(bytes, at, end);
        break;
      case RECORD_TIMESTAMP:
        event.recordMicros = this.scanTimestamp(bytes, at, end);
        break;
      case LABEL:
        event.label = this.scanLabel(bytes, at, end);
        break;
    }
  }

  /** Number of a key that is not the usual one in this place; the cursor is then at its value. */
  private scanKey(bytes: Uint8Array, at: number, end: number): number {
    this.cursor = end;
    if (at >= end || bytes[at] !== QUOTE) return UNKNOWN;
    const start = at + 1;
    const close = endOfString(bytes, start, end);
    if (close < 0) return UNKNOWN;
    const colon = skipBlanks(bytes, close + 1, end);
    if (colon >= end || bytes[colon] !== COLON) return UNKNOWN;
    this.cursor = skipBlanks(bytes, colon + 1, end);
    return this.keys.findIndex((key) => key.length === close - start && matches(bytes, start, key));
  }

  private scanId(bytes: Uint8Array, at: number, end: number, event: EventFields): void {
    this.cursor = -1;
    if (bytes[at] !== QUOTE) return;
    const start = at + 1;
    const factor = HASH_FACTOR;
    let hash = HASH_START;
    for (let position = start; position < end; position += 1) {
      const byte = bytes[position] ?? 0;
      if (byte === QUOTE) {
        const length = position - start;
        if (length === 0 || length > MAX_ID_BYTES) return;
        event.idBytes = bytes;
        event.idStart = start;
        event.idEnd = position;
        event.idHash = finishHash(hash);
        this.cursor = position + 1;
        return;
      }
      if (byte < FIRST_PRINTABLE || byte > LAST_ASCII || byte === BACKSLASH) return;
      hash = Math.imul(hash ^ byte, factor);
    }
  }

  private scanTimestamp(bytes: Uint8Array, at: number, end: number): number {
    let micros: number;
    if (bytes[at] === QUOTE) {
      // No timestamp has a quote in it: a text that is one and has a quote behind it ends there.
      let close = at + 1 + this.usualTimestamp;
      micros = close < end && bytes[close] === QUOTE ? microsOfIso(bytes, at + 1, close) : NaN;
      if (Number.isNaN(micros)) {
        close = endOfString(bytes, at + 1, end);
        if (close < 0) return this.fallBack();
        micros = microsOfIso(bytes, at + 1, close);
      }
      this.usualTimestamp = close - at - 1;
      this.cursor = close + 1;
    } else {
      const millis = this.scanNumber(bytes, at, end);
      if (this.cursor < 0) return NaN;
      micros = microsOfMillis(millis);
    }
    return Number.isNaN(micros) ? this.fallBack() : micros;
  }

  private scanReading(bytes: Uint8Array, at: number, end: number): number {
    const value = this.scanNumber(bytes, at, end);
    return value <= MAX_READING && value >= -MAX_READING ? value : this.fallBack();
  }

  private scanReadingOrNull(bytes: Uint8Array, at: number, end: number): number {
    if (at + NULL.length <= end && matches(bytes, at, NULL)) {
      this.cursor = at + NULL.length;
      return NaN;
    }
    return this.scanReading(bytes, at, end);
  }

  /** The caller checks what follows the literal: it expects a comma or the end of the object. */
  private scanLabel(bytes: Uint8Array, at: number, end: number): Label {
    const first = bytes[at];
    if (first === ZERO || first === ONE) {
      this.cursor = at + 1;
      return first === ONE ? 1 : 0;
    }
    if (at + FALSE.length <= end && matches(bytes, at, FALSE)) {
      this.cursor = at + FALSE.length;
      return 0;
    }
    if (at + TRUE.length <= end) {
      this.cursor = at + TRUE.length;
      if (matches(bytes, at, TRUE)) return 1;
      if (matches(bytes, at, NULL)) return -1;
    }
    this.cursor = -1;
    return -1;
  }
}
