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
const LONG_INTEGER = /^-?[1-9][0-9]{16,}$/;
const BYTE_ORDER_MARK = 0xfeff;

/**
 * Parse a message. A byte order mark before it is skipped. An integer too long for a double, such as nanoseconds since 1970 or the id
 * of a chip, becomes the text of its digits, so that none is lost.
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
  try {
    return { value: JSON.parse(MANY_DIGITS.test(text) ? withLongIntegersAsTexts(text) : text) as unknown };
  } catch (error) {
    return rejected('not-json', messageOf(error));
  }
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
