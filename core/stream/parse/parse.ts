import { type MalformedDetail } from '../../contracts/events';
import { ROW_LIMITS } from '../../contracts/limits';
import { type Sensors } from '../../contracts/task';
import { type EventFields } from './event';
import { FastParser } from './parse-fast';
import { StrictParser } from './parse-strict';

/** Reads the events of a fleet with certain sensors: the fast way where that is sure of itself, else the strict one. */
export class EventParser {
  private readonly fast: FastParser;
  private readonly strict: StrictParser;

  constructor(sensors: Sensors) {
    this.fast = new FastParser(sensors);
    this.strict = new StrictParser(sensors);
  }

  /**
   * One event, `bytes[start, end)` → `event`, filled anew. A place in a larger buffer and no view of it, because a view an event
   * is what a fast stream cannot afford.
   * @returns undefined for a good event, else why it is none; `event` then holds nothing of use.
   */
  parse(
    bytes: Uint8Array,
    event: EventFields,
    start = 0,
    end: number = bytes.length,
  ): MalformedDetail | undefined {
    if (end === start) return 'empty';
    if (end - start > ROW_LIMITS.eventBytes) return 'too-large';
    if (this.fast.parse(bytes, event, start, end)) return undefined;
    return this.strict.parse(bytes.subarray(start, end), event);
  }
}
