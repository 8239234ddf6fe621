import { type StreamSettings } from '../contracts/settings';
import { type Micros, windowStartOf } from '../contracts/time';
import { type Evaluator } from './forecasts/evaluator';
import { type EventsAhead } from './windows/events-ahead';
import { type Opening } from './windows/opening';
import { type PartitionClock } from './windows/partition-clock';
import { type WindowSchedule } from './windows/window-schedule';

/** The watermark was set back by hand. */
interface WatermarkReset {
  /** Source offset of the first event behind it. */
  readonly offset: number;
  /** Events before it were late in windows that start before this. */
  readonly lateBefore: Micros;
}

/** Ends of the last closed window before and after a reset that has opened closed windows again. */
export interface OpenedAgain {
  readonly before: Micros;
  readonly after: Micros;
}

/** Resets of a partition's watermark that open windows may have events from before. */
export class WatermarkResets {
  private entries: readonly WatermarkReset[] = [];
  /** Offset of the last one: no event from there on was read before it. */
  private until = 0;

  get all(): readonly WatermarkReset[] {
    return this.entries;
  }

  add(reset: WatermarkReset): void {
    this.entries = [...this.entries, reset];
    this.until = Math.max(this.until, reset.offset);
  }

  /** Whether an event that is read again, for the open windows, was late before the watermark went back. Called for each event. */
  wasLate(start: Micros, offset: number): boolean {
    return offset < this.until && this.wasLateBeforeSome(start, offset);
  }

  private wasLateBeforeSome(start: Micros, offset: number): boolean {
    return this.entries.some((reset) => offset < reset.offset && start < reset.lateBefore);
  }
}

/** The parts of an engine that its time is in. */
interface Parts {
  readonly settings: StreamSettings;
  readonly resets: WatermarkResets;
  readonly watermark: Micros;
  readonly clock: PartitionClock;
  readonly ahead: EventsAhead;
  readonly schedule: WindowSchedule;
  readonly evaluator: Evaluator;
  opening: Opening | undefined;
}

/**
 * Set the largest event time seen back before the event at `offset`, so that later windows close again. Open windows stay open. Events aside
 * waited for a time that does not hold any more: they are refused.
 * @returns undefined when nothing that was closed opens again.
 */
export function resetWatermark(engine: Parts, to: Micros, offset: number): OpenedAgain | undefined {
  const { settings, resets, clock, ahead, schedule, evaluator } = engine;
  if (to >= clock.latest) return undefined;
  const { windowMicros } = settings.task;
  const before = schedule.closedUntil;
  resets.add({ offset, lateBefore: Math.max(before, windowStartOf(engine.watermark, windowMicros)) });
  engine.opening = undefined;
  ahead.refuseAll();
  // A person says what time it is: no device has to confirm it.
  clock.restore({ latest: to, second: to, leader: null, contradicted: false });
  const after = windowStartOf(to, windowMicros);
  if (after >= before) return undefined;
  schedule.close(after);
  evaluator.resetTo(after);
  return { before, after };
}
