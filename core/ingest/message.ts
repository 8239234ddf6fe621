import { isUtf8 } from 'node:buffer';
import { messageOf } from '../contracts/errors';
import { type UnmappedReading, type UnmappedReason } from '../contracts/ingest';
import { INGEST_LIMITS } from './limits';

/** A message as a value of JSON, or why it is none. */
export type ParsedMessage = { readonly value: unknown } | { readonly reject: UnmappedReading };

/** No integer of so many digits is exact as a double. */
const MANY_DIGITS = /[0-9]{17}/;
/** A text that is never closed goes to the end: looked for anew from each of its quotes it would take the square of its length. */
const STRING_OR_NUMBER = /"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/g;
const STRING_OR_COLON = /"[^"\\]*(?:\\[^][^"\\]*)*"|:/g;
const LONG_INTEGER = /^-?[1-9][0-9]{16,}$/;
const BYTE_ORDER_MARK = 0xfeff;

/**
 * Parse a message. A byte order mark before it is skipped. An integer too long for a double, such as nanoseconds since 1970 or the id
 * of a chip, becomes the text of its digits, so that none is lost. A message with the same field twice is refused.
 */
export function parseMessage(bytes: Uint8Array): ParsedMessage {
  if (bytes.length === 0) return rejected('empty', 'the message has no bytes');
  if (bytes.length > INGEST_LIMITS.messageBytes) {
    return rejected(
      'too-large',
      `it has ${bytes.length} bytes, at most ${INGEST_LIMITS.messageBytes} are read`,
    );
  }
  if (!isUtf8(bytes)) return rejected('not-utf8', 'its bytes are no UTF-8');
  const text = textOf(bytes);
  let value: unknown;
  try {
    // First as it is: what is no JSON must not become some by quotes around its digits.
    value = JSON.parse(text);
    if (MANY_DIGITS.test(text)) value = JSON.parse(withLongIntegersAsTexts(text));
  } catch (error) {
    return rejected('not-json', messageOf(error));
  }
  if (hasKeyTwice(text, value))
    return rejected(
      'duplicate-key',
      'an object in it has a field twice, and nobody can know which one is meant',
    );
  return { value };
}

/** Every key of a text has one colon behind it; of two alike, the parser keeps one. */
function hasKeyTwice(text: string, value: unknown): boolean {
  const keys = countKeys(value);
  let colons = 0;
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) colons += 1;
  if (colons === keys) return false;
  // Some of them stand in texts, such as those of times.
  const outside = text.match(STRING_OR_COLON)?.filter((token) => token === ':').length ?? 0;
  return outside !== keys;
}

function countKeys(root: unknown): number {
  let count = 0;
  const open: unknown[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const inside: readonly unknown[] = Object.values(value);
    if (!Array.isArray(value)) count += inside.length;
    for (const item of inside) open.push(item);
  }
  return count;
}

function textOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text;
}

function withLongIntegersAsTexts(text: string): string {
  return text.replace(STRING_OR_NUMBER, (token) => (LONG_INTEGER.test(token) ? `"${token}"` : token));
}

function rejected(reason: UnmappedReason, detail: string): ParsedMessage {
  return { reject: { reason, path: '/', detail } };
}
