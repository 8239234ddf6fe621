import { type MalformedDetail } from '../../contracts/events';
import { ROW_LIMITS } from '../../contracts/limits';
import { type Sensors } from '../../contracts/task';
import { type EventFields } from './event';
import { FastParser } from './parse-fast';
import { StrictParser } from './parse-strict';

/** Parses the events of a fleet with these sensors: with the fast parser where it can, else with the strict one. */
export class EventParser {
  private readonly fast: FastParser;
  private readonly strict: StrictParser;

  constructor(sensors: Sensors) {
    this.fast = new FastParser(sensors);
    this.strict = new StrictParser(sensors);
  }

  /**
   * Parse one event, `bytes[start, end)`, into `event`. A place in a larger buffer is given, not a view of it: a view for each event
   * would slow a fast stream down.
   * @returns undefined for a good event, else what is wrong with it; `event` is then not to be used.
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
