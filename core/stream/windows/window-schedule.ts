import { type Micros, windowStartOf } from '../../contracts/time';

/** Which windows of a partition have closed, and which comes next. */
export class WindowSchedule {
  /** Every window that ends here or before is closed; −Infinity before the first closing. */
  closedUntil: Micros = -Infinity;
  /** End of the next window to close; Infinity before the first event. */
  nextEnd: Micros = Infinity;

  constructor(private readonly windowMicros: Micros) {}

  /** An event went into the window of this start. Before anything has closed, the oldest open window is the next to close. */
  note(start: Micros): void {
    if (this.closedUntil === -Infinity && start + this.windowMicros < this.nextEnd)
      this.nextEnd = start + this.windowMicros;
  }

  close(end: Micros): void {
    this.closedUntil = end;
    this.nextEnd = end + this.windowMicros;
  }

  /** First window that a version activated now can be scored on: none of its events has been read. */
  firstUnseen(latestEvent: Micros, notBefore: Micros | null): Micros | null {
    const { windowMicros } = this;
    const bounds = [
      // An event right on a window's start has been read: that window is not unseen any more.
      windowStartOf(latestEvent, windowMicros) + windowMicros,
      this.closedUntil + windowMicros,
      Math.ceil((notBefore ?? -Infinity) / windowMicros) * windowMicros,
    ].filter(Number.isFinite);
    return bounds.length === 0 ? null : Math.max(...bounds);
  }

  /** First window without forecasts yet: the earliest that a version can be deactivated from. */
  firstUnforecast(latestEvent: Micros): Micros | null {
    if (Number.isFinite(this.closedUntil)) return this.closedUntil + this.windowMicros;
    return Number.isFinite(latestEvent) ? windowStartOf(latestEvent, this.windowMicros) : null;
  }
}
