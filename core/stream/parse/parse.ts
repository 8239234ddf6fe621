import { type MalformedDetail, type PlausibleSpan } from '../../contracts/events';
import { ROW_LIMITS } from '../../contracts/limits';
import { EVERY_TIME } from '../../contracts/settings';
import { type Sensors } from '../../contracts/task';
import { type EventFields } from './event';
import { FastParser } from './parse-fast';
import { StrictParser } from './parse-strict';
import { Plausibility } from './plausibility';
import { matches } from './skip-json';

/** What some programs write before UTF-8 text: U+FEFF. */
const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

/**
 * Parses the events of a fleet with these sensors: with the fast parser where it can, else with the strict one. Both read what the bytes
 * say; whether that is plausible is judged behind them.
 */
export class EventParser {
  private readonly fast: FastParser;
  private readonly strict: StrictParser;
  private readonly plausibility: Plausibility;

  constructor(sensors: Sensors, plausible: PlausibleSpan = EVERY_TIME) {
    this.fast = new FastParser(sensors);
    this.strict = new StrictParser(sensors, plausible);
    this.plausibility = new Plausibility(sensors, plausible);
  }

  /**
   * Parse one event, `bytes[start, end)`, into `event`; a byte order mark before it is skipped. A place in a larger buffer is given, not a view of it: a view for each event
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
    return this.fast.parse(bytes, event, start, end)
      ? this.plausibility.judge(event)
      : this.parseUnusual(bytes, event, start, end);
  }

  private parseUnusual(
    bytes: Uint8Array,
    event: EventFields,
    start: number,
    end: number,
  ): MalformedDetail | undefined {
    const behind = start + BYTE_ORDER_MARK.length;
    const from = behind <= end && matches(bytes, start, BYTE_ORDER_MARK) ? behind : start;
    if (end === from) return 'empty';
    const isFast = from > start && this.fast.parse(bytes, event, from, end);
    const detail = isFast ? undefined : this.strict.parse(bytes.subarray(from, end), event);
    return detail ?? this.plausibility.judge(event);
  }
}
