import { isUtf8 } from 'node:buffer';
import { type MalformedDetail, type PlausibleSpan, timeInAnotherUnit } from '../../contracts/events';
import { isDeviceIdText, ROW_LIMITS } from '../../contracts/limits';
import { EVERY_TIME } from '../../contracts/settings';
import { FORBIDDEN_KEYS, type SensorName, type Sensors, sensorsOf } from '../../contracts/task';
import { microsOfMillis, microsOfText } from '../../contracts/timestamps';
import { type EventFields, hashOfId, type Label } from './event';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });
const BYTES = new TextEncoder();

/**
 * The strict parser: accepts any JSON object with the fields of an event, in any spelling that JSON allows, and ignores
 * other fields. Every fault has its name.
 */
export class StrictParser {
  private readonly target: SensorName;
  private readonly covariates: readonly SensorName[];

  constructor(
    sensors: Sensors,
    private readonly plausible: PlausibleSpan = EVERY_TIME,
  ) {
    this.target = sensors.target.sensor;
    this.covariates = sensorsOf(sensors).slice(1);
  }

  parse(bytes: Uint8Array, event: EventFields): MalformedDetail | undefined {
    if (!isUtf8(bytes)) return 'not-utf8';
    const outline = outlineOf(bytes);
    if (outline.depth > ROW_LIMITS.eventDepth) return 'nested-too-deep';
    let parsed: unknown;
    try {
      parsed = JSON.parse(TEXT.decode(bytes));
    } catch {
      return 'not-json';
    }
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'not-an-object';
    const keys = keysIn(parsed);
    if (keys.forbidden) return 'forbidden-key';
    // JSON.parse keeps the last of equal keys: fewer keys in the value than colons in the text means that one was lost.
    if (keys.count !== outline.colons) return 'duplicate-key';
    const fields: ReadonlyMap<string, unknown> = new Map(Object.entries(parsed));
    return readId(fields, event) ?? this.readTimes(fields, event) ?? this.readReadings(fields, event);
  }

  private readTimes(fields: ReadonlyMap<string, unknown>, event: EventFields): MalformedDetail | undefined {
    const timestamp = fields.get('timestamp');
    if (isAbsent(timestamp)) return 'missing-timestamp';
    event.micros = microsOf(timestamp);
    if (Number.isNaN(event.micros))
      return (
        (typeof timestamp === 'number' ? timeInAnotherUnit(timestamp, this.plausible) : undefined) ??
        'bad-timestamp'
      );
    const stamped = fields.get('record_timestamp');
    event.recordMicros = isAbsent(stamped) ? NaN : microsOf(stamped);
    return Number.isNaN(event.recordMicros) && !isAbsent(stamped) ? 'bad-record-timestamp' : undefined;
  }

  /** A target that is no number is a fault of the event; a covariate costs it that value alone. */
  private readReadings(
    fields: ReadonlyMap<string, unknown>,
    event: EventFields,
  ): MalformedDetail | undefined {
    const named = fields.get(this.target);
    const data = fields.get('data');
    if (isAbsent(named) && isAbsent(data)) return `missing-${this.target}`;
    const readings = [named, data].filter((value) => !isAbsent(value)).map(readingOf);
    if (readings.some(Number.isNaN)) return `bad-${this.target}`;
    event.values[0] = readings[0] ?? NaN;
    event.badValues = 0;
    event.absentValues = 0;
    for (const [index, sensor] of this.covariates.entries()) {
      const value = fields.get(sensor);
      const reading = readingOf(value);
      if (isAbsent(value)) event.absentValues += 1;
      else if (Number.isNaN(reading)) event.badValues += 1;
      event.values[index + 1] = reading;
    }
    const label = labelOf(fields.get('label'));
    if (label === undefined) return 'bad-label';
    event.label = label;
    return undefined;
  }
}

function readId(fields: ReadonlyMap<string, unknown>, event: EventFields): MalformedDetail | undefined {
  const id = fields.get('device_id');
  if (isAbsent(id)) return 'missing-device-id';
  if (typeof id !== 'string' || !isDeviceIdText(id) || hasLoneSurrogate(id)) return 'bad-device-id';
  event.idBytes = BYTES.encode(id);
  event.idStart = 0;
  event.idEnd = event.idBytes.length;
  event.idHash = hashOfId(event.idBytes, 0, event.idEnd);
  return undefined;
}

/** null means "no value" in most producers' JSON: the field counts as left out. */
function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null;
}

function microsOf(value: unknown): number {
  if (typeof value === 'number') return microsOfMillis(value);
  return typeof value === 'string' ? microsOfText(value) : NaN;
}

/** The number that a reading is, −0 as 0; NaN for everything else, also for a number written as a string. */
function readingOf(value: unknown): number {
  return typeof value === 'number' && Math.abs(value) <= ROW_LIMITS.reading ? value + 0 : NaN;
}

function labelOf(value: unknown): Label | undefined {
  if (isAbsent(value)) return -1;
  if (value === 1 || value === true) return 1;
  return value === 0 || value === false ? 0 : undefined;
}

/** Half of a surrogate pair has no UTF-8: different ids with one would become the same. */
function hasLoneSurrogate(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) return true;
  }
  return false;
}

/** Nesting and colons outside strings, counted in the bytes before anything is built from them. */
function outlineOf(bytes: Uint8Array): { readonly depth: number; readonly colons: number } {
  let depth = 0;
  let deepest = 0;
  let colons = 0;
  let inString = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (inString) {
      if (byte === BACKSLASH) at += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === COLON) colons += 1;
    else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) deepest = Math.max(deepest, (depth += 1));
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth -= 1;
  }
  return { depth: deepest, colons };
}

function keysIn(value: object): { readonly count: number; readonly forbidden: boolean } {
  const open: object[] = [value];
  let count = 0;
  let forbidden = false;
  for (let container = open.pop(); container !== undefined; container = open.pop()) {
    if (!Array.isArray(container)) {
      const keys = Object.keys(container);
      count += keys.length;
      forbidden ||= keys.some((key) => FORBIDDEN_KEYS.has(key));
    }
    for (const inner of Object.values(container) as unknown[]) {
      if (typeof inner === 'object' && inner !== null) open.push(inner);
    }
  }
  return { count, forbidden };
}
