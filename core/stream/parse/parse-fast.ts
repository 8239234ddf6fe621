import { ROW_LIMITS } from '../../contracts/limits';
import { EVENT_FIELDS, type Sensors, sensorsOf } from '../../contracts/task';
import { microsOfIso, microsOfMillis } from '../../contracts/timestamps';
import { type EventFields, finishHash, HASH_FACTOR, HASH_START, hashOfId, type Label } from './event';
import { EventKeys, UNKNOWN } from './event-keys';
import { JsonScanner } from './json-scanner';
import { ascii, endOfString, endOfText, FIRST_PRINTABLE, LAST_ASCII, matches, skipBlanks } from './skip-json';

const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;

const NULL = ascii('null');
const TRUE = ascii('true');
const FALSE = ascii('false');

const MAX_ID_BYTES = ROW_LIMITS.deviceIdCharacters;
const MAX_READING = ROW_LIMITS.reading;

/** Numbers of keys: the event's own fields in the order of `EVENT_FIELDS`, then the sensors, the target first. */
const [DEVICE_ID, TIMESTAMP, RECORD_TIMESTAMP, LABEL, DATA] = [0, 1, 2, 3, 4] as const;
const TARGET = EVENT_FIELDS.length;
const NEEDED = (1 << DEVICE_ID) | (1 << TIMESTAMP);

/**
 * The fast parser: one pass over the bytes of a JSON object. It passes over fields that an event does not have, and leaves to `StrictParser`
 * what is spelt in an unusual way (an id or a key with escapes) and all that may be wrong: it never rejects. The two must agree on every
 * event that this one accepts.
 */
export class FastParser extends JsonScanner {
  private readonly keys: EventKeys;
  /** Number of the first key that means nothing. */
  private readonly firstExtra: number;
  /** The keys of the latest event, in its order: a fleet's events are alike, so comparing is nearly always enough. */
  private readonly usualKeys: number[] = [];
  /** Characters of the latest timestamp. */
  private usualTimestamp = 0;

  constructor(sensors: Sensors) {
    super();
    const names = [...EVENT_FIELDS, ...sensorsOf(sensors)];
    this.keys = new EventKeys(names);
    this.firstExtra = names.length;
  }

  /** Read `bytes[start, end)` into `event`; false = give it to the strict parser (and `event` is not to be used). */
  parse(bytes: Uint8Array, event: EventFields, start = 0, end: number = bytes.length): boolean {
    let at = skipBlanks(bytes, start, end);
    if (at >= end || bytes[at] !== OPEN) return false;
    at = skipBlanks(bytes, at + 1, end);
    let seen = 0;
    const { values } = event;
    for (let sensor = 0; sensor < values.length; sensor += 1) values[sensor] = NaN;
    event.badValues = 0;
    event.absentValues = values.length - 1;
    event.label = -1;
    event.recordMicros = NaN;
    let data = NaN;
    const { keys, firstExtra } = this;
    keys.beginEvent();

    for (let place = 0; ; place += 1) {
      let key = this.usualKeys[place] ?? UNKNOWN;
      const usual = keys.withColon[key];
      if (usual !== undefined && at + usual.length < end && matches(bytes, at, usual)) {
        at = skipBlanks(bytes, at + usual.length, end);
      } else {
        key = keys.scan(bytes, at, end);
        at = keys.cursor;
        this.usualKeys[place] = key;
      }
      if (at >= end || key === UNKNOWN) return false;

      if (key >= firstExtra) {
        if (!keys.enter(key)) return false;
        this.cursor = keys.skipValue(bytes, at, end);
      } else {
        if ((seen & (1 << key)) !== 0) return false;
        seen |= 1 << key;
        if (key > TARGET) values[key - TARGET] = this.scanCovariate(bytes, at, end, event);
        else if (key === TARGET) values[0] = this.scanReadingOrNull(bytes, at, end);
        else if (key === DATA) data = this.scanReading(bytes, at, end);
        else this.scanField(key, bytes, at, end, event);
      }
      if (this.cursor < 0 && key === DEVICE_ID) this.scanWideId(bytes, at, end, event);
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

  /** An id with other characters than ASCII; what costs an ASCII id nothing stands here. */
  private scanWideId(bytes: Uint8Array, at: number, end: number, event: EventFields): void {
    if (bytes[at] !== QUOTE) return;
    const start = at + 1;
    const close = endOfText(bytes, start, end) - 1;
    if (close <= start || close - start > MAX_ID_BYTES || hasByteOrderMark(bytes, start)) return;
    for (let position = start; position < close; position += 1) if (bytes[position] === BACKSLASH) return;
    event.idBytes = bytes;
    event.idStart = start;
    event.idEnd = close;
    event.idHash = hashOfId(bytes, start, close);
    this.cursor = close + 1;
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

  /** A covariate that is no reading costs the event this value alone. */
  private scanCovariate(bytes: Uint8Array, at: number, end: number, event: EventFields): number {
    const first = bytes[at] ?? 0;
    if (first === MINUS || (first >= ZERO && first <= NINE)) {
      const value = this.scanNumber(bytes, at, end);
      if (value <= MAX_READING && value >= -MAX_READING) {
        event.absentValues -= 1;
        return value;
      }
    } else {
      this.cursor = this.keys.skipValue(bytes, at, end);
      if (matches(bytes, at, NULL)) return NaN;
    }
    event.absentValues -= 1;
    event.badValues += 1;
    return NaN;
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

/** An id that begins so is refused, with a reason, by the strict parser. */
function hasByteOrderMark(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;
}
