import { isUtf8 } from 'node:buffer';
import { ROW_LIMITS } from '../../contracts/limits';
import { FORBIDDEN_KEYS } from '../../contracts/task';
import { ascii, endOfPlainValue, endOfText, matches, skipBlanks } from './skip-json';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Keys learnt at a time. A fleet's messages have a few dozen; where every message has new ones, learning more would not help. */
const MAX_LEARNT = 128;
const MAX_KEY_BYTES = 128;
export const UNKNOWN = -1;
/** The event itself is the first object. */
const EVENT_DEPTH = 1;

/**
 * The keys that a fleet's messages have, by small numbers: first those that mean something, then those met in messages. They are known by
 * their bytes, and which keys an object has had is a table, so that fields that mean nothing are passed over without making anything of
 * them, and a key that stands twice in one object is noticed all the same.
 */
export class EventKeys {
  /** `"key":` of each number, as most messages have it. */
  readonly withColon: Uint8Array[] = [];
  private readonly names: Uint8Array[] = [];
  private readonly meaningful: number;
  /** By depth and key: the latest object of that depth that had the key. Objects of one depth never overlap. */
  private readonly seenIn: Int32Array;
  private readonly mostKeys: number;
  private objects = 0;
  /** The event's own number as an object. */
  private event = 0;
  /** Keys of inner objects in the order of the latest event: a fleet's messages are alike. */
  private readonly usualInner: number[] = [];
  private inner = 0;
  /** Where the latest key's value begins. */
  cursor = 0;

  constructor(meaningful: readonly string[]) {
    for (const name of meaningful) this.add(ascii(name));
    this.meaningful = meaningful.length;
    this.mostKeys = this.meaningful + MAX_LEARNT;
    this.seenIn = new Int32Array((ROW_LIMITS.eventDepth + 1) * this.mostKeys);
  }

  beginEvent(): void {
    this.event = this.nextObject();
    this.inner = 0;
  }

  /** Note that the event has this key. @returns false when it had it before. */
  enter(key: number): boolean {
    return this.enterObject(key, EVENT_DEPTH, this.event);
  }

  /** Number of the key at `at`, and in `cursor` where its value begins; `UNKNOWN` where the strict parser has to look. */
  scan(bytes: Uint8Array, at: number, end: number): number {
    this.cursor = end;
    if (at >= end || bytes[at] !== QUOTE) return UNKNOWN;
    const start = at + 1;
    const behind = endOfText(bytes, start, end);
    if (behind < 0) return UNKNOWN;
    const colon = skipBlanks(bytes, behind, end);
    if (colon >= end || bytes[colon] !== COLON) return UNKNOWN;
    this.cursor = skipBlanks(bytes, colon + 1, end);
    return this.numberOf(bytes, start, behind - 1);
  }

  /** Position behind the value at `at`, of whatever kind; −1 where the strict parser has to look. */
  skipValue(bytes: Uint8Array, at: number, end: number, depth = EVENT_DEPTH): number {
    if (at >= end) return -1;
    switch (bytes[at] ?? 0) {
      case QUOTE:
        return endOfText(bytes, at + 1, end);
      case OPEN_OBJECT:
        return depth < ROW_LIMITS.eventDepth ? this.skipObject(bytes, at + 1, end, depth + 1) : -1;
      case OPEN_ARRAY:
        return depth < ROW_LIMITS.eventDepth ? this.skipArray(bytes, at + 1, end, depth + 1) : -1;
      default:
        return endOfPlainValue(bytes, at, end);
    }
  }

  private skipObject(bytes: Uint8Array, start: number, end: number, depth: number): number {
    const object = this.nextObject();
    let at = skipBlanks(bytes, start, end);
    if (at < end && bytes[at] === CLOSE_OBJECT) return at + 1;
    while (at < end) {
      const key = this.innerKey(bytes, at, end);
      if (key === UNKNOWN || !this.enterObject(key, depth, object)) return -1;
      at = this.skipValue(bytes, this.cursor, end, depth);
      if (at < 0) return -1;
      at = skipBlanks(bytes, at, end);
      if (at >= end) return -1;
      if (bytes[at] === CLOSE_OBJECT) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipBlanks(bytes, at + 1, end);
    }
    return -1;
  }

  private skipArray(bytes: Uint8Array, start: number, end: number, depth: number): number {
    let at = skipBlanks(bytes, start, end);
    if (at < end && bytes[at] === CLOSE_ARRAY) return at + 1;
    while (at < end) {
      at = this.skipValue(bytes, at, end, depth);
      if (at < 0) return -1;
      at = skipBlanks(bytes, at, end);
      if (at >= end) return -1;
      if (bytes[at] === CLOSE_ARRAY) return at + 1;
      if (bytes[at] !== COMMA) return -1;
      at = skipBlanks(bytes, at + 1, end);
    }
    return -1;
  }

  private innerKey(bytes: Uint8Array, at: number, end: number): number {
    const place = this.inner;
    this.inner = place + 1;
    const key = this.usualInner[place] ?? UNKNOWN;
    const usual = this.withColon[key];
    if (usual !== undefined && at + usual.length < end && matches(bytes, at, usual)) {
      this.cursor = skipBlanks(bytes, at + usual.length, end);
      return key;
    }
    const scanned = this.scan(bytes, at, end);
    if (place < this.mostKeys) this.usualInner[place] = scanned;
    return scanned;
  }

  private numberOf(bytes: Uint8Array, start: number, end: number): number {
    const { names } = this;
    const length = end - start;
    for (let key = 0; key < names.length; key += 1) {
      const name = names[key];
      if (name?.length === length && matches(bytes, start, name)) return key;
    }
    return this.learn(new Uint8Array(bytes.subarray(start, end)));
  }

  /** Give a key a number, unless only the strict parser can judge it: one with escapes may equal another, and some are forbidden. */
  private learn(name: Uint8Array): number {
    if (name.length > MAX_KEY_BYTES || name.includes(BACKSLASH) || !isUtf8(name)) return UNKNOWN;
    if (FORBIDDEN_KEYS.has(Buffer.from(name).toString())) return UNKNOWN;
    if (this.names.length < this.mostKeys) return this.add(name);
    // Full of keys that may never come again: begin anew, with the next event.
    this.names.length = this.meaningful;
    this.withColon.length = this.meaningful;
    return UNKNOWN;
  }

  private add(name: Uint8Array): number {
    this.withColon.push(Uint8Array.of(QUOTE, ...name, QUOTE, COLON));
    return this.names.push(name) - 1;
  }

  private enterObject(key: number, depth: number, object: number): boolean {
    const at = depth * this.mostKeys + key;
    if (this.seenIn[at] === object) return false;
    this.seenIn[at] = object;
    return true;
  }

  /** Wraps round after 2³² objects: a key that then seems to stand twice is left to the strict parser, which knows. */
  private nextObject(): number {
    this.objects = (this.objects + 1) | 0;
    return this.objects;
  }
}
