const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LOWER_E = 0x65;
const UPPER_E = 0x45;
const LOWER_U = 0x75;
export const FIRST_PRINTABLE = 0x20;
export const LAST_ASCII = 0x7f;

// Passes over pieces of JSON without reading them. Each answers with the position behind the piece, or −1 where it is not valid JSON.

/** The rest of a string, from behind its opening quote. */
export function endOfText(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at >= 0 && at < end) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at = endOfEscape(bytes, at, end);
    else if (byte > LAST_ASCII) at = endOfCharacter(bytes, at, end);
    else if (byte < FIRST_PRINTABLE) return -1;
    else at += 1;
  }
  return -1;
}

/** A number, `true`, `false` or `null`. */
export function endOfPlainValue(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] ?? 0;
  if (first === MINUS || (first >= ZERO && first <= NINE)) return endOfNumber(bytes, start, end);
  for (const word of WORDS) {
    const behind = start + word.length;
    if (first === word[0]) return behind <= end && matches(bytes, start, word) ? behind : -1;
  }
  return -1;
}

/**
 * One character of more than a byte in UTF-8, as table 3-7 of the Unicode standard (16.0) has them: nothing overlong, no half of a
 * surrogate pair, nothing beyond U+10FFFF.
 */
export function endOfCharacter(bytes: Uint8Array, start: number, end: number): number {
  const first = bytes[start] ?? 0;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || start + length > end) return -1;
  const second = bytes[start + 1] ?? 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return -1;
  for (let at = start + 2; at < start + length; at += 1) if (((bytes[at] ?? 0) & 0xc0) !== 0x80) return -1;
  return start + length;
}

const WORDS = ['true', 'false', 'null'].map(ascii);
/** What may stand behind a backslash, besides `u` and four digits. */
const ESCAPED: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
const UNICODE_ESCAPE = '\\u0000'.length;

function endOfEscape(bytes: Uint8Array, start: number, end: number): number {
  const kind = bytes[start + 1] ?? 0;
  if (kind !== LOWER_U) return start + 1 < end && ESCAPED.has(kind) ? start + 2 : -1;
  if (start + UNICODE_ESCAPE > end) return -1;
  for (let at = start + 2; at < start + UNICODE_ESCAPE; at += 1) if (!isHexDigit(bytes[at] ?? 0)) return -1;
  return start + UNICODE_ESCAPE;
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= ZERO && byte <= NINE) || (lower >= 0x61 && lower <= 0x66);
}

function endOfNumber(bytes: Uint8Array, start: number, end: number): number {
  const integer = bytes[start] === MINUS ? start + 1 : start;
  let at = endOfDigits(bytes, integer, end);
  if (at === integer || (at > integer + 1 && bytes[integer] === ZERO)) return -1;
  if (at < end && bytes[at] === DOT) {
    const fraction = at + 1;
    at = endOfDigits(bytes, fraction, end);
    if (at === fraction) return -1;
  }
  return at < end && (bytes[at] === LOWER_E || bytes[at] === UPPER_E)
    ? endOfExponent(bytes, at + 1, end)
    : at;
}

/** Position behind an exponent's sign and digits; −1 where there are no digits. */
export function endOfExponent(bytes: Uint8Array, start: number, end: number): number {
  const digits = start < end && (bytes[start] === PLUS || bytes[start] === MINUS) ? start + 1 : start;
  const at = endOfDigits(bytes, digits, end);
  return at === digits ? -1 : at;
}

function endOfDigits(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] ?? 0) >= ZERO && (bytes[at] ?? 0) <= NINE) at += 1;
  return at;
}

/** Position of the closing quote of a string of plain ASCII, else −1. */
export function endOfString(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) return at;
    if (byte < FIRST_PRINTABLE || byte > LAST_ASCII || byte === BACKSLASH) return -1;
  }
  return -1;
}

export function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
    at += 1;
  }
  return at;
}

/** Whether `word` stands at `start`. */
export function matches(bytes: Uint8Array, start: number, word: Uint8Array): boolean {
  for (let i = 0; i < word.length; i += 1) {
    if (bytes[start + i] !== word[i]) return false;
  }
  return true;
}

export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
