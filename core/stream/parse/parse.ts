import { type EventFields, type MalformedDetail } from './event';
import { MAX_EVENT_BYTES } from '../limits';
import { parseCarefully } from './parse-strict';
import { scanEvent } from './parse-fast';

/**
 * One event, `bytes[start, end)` → `event`, filled anew. A place in a larger buffer and no view of it, because a view an event
 * is what a fast stream cannot afford.
 * @returns undefined for a good event, else why it is none; `event` then holds nothing of use.
 */
export function parseEvent(
  bytes: Uint8Array,
  event: EventFields,
  start = 0,
  end: number = bytes.length,
): MalformedDetail | undefined {
  if (end === start) return 'empty';
  if (end - start > MAX_EVENT_BYTES) return 'too-large';
  return scanEvent(bytes, event, start, end) ? undefined : parseCarefully(bytes.subarray(start, end), event);
}
