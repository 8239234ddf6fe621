import { type Micros } from '../contracts/time';

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
