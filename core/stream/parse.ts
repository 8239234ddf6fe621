import { type EventFields, type MalformedDetail } from './event';
import { MAX_EVENT_BYTES } from './limits';
import { parseCarefully } from './parse-carefully';
import { scanEvent } from './scan-event';

/**
 * Bytes of one event → `event`, filled anew.
 * @returns undefined for a good event, else why it is none; `event` then holds nothing of use.
 */
export function parseEvent(bytes: Uint8Array, event: EventFields): MalformedDetail | undefined {
  if (bytes.length === 0) return 'empty';
  if (bytes.length > MAX_EVENT_BYTES) return 'too-large';
  return scanEvent(bytes, event) ? undefined : parseCarefully(bytes, event);
}
