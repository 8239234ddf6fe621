import { type PartitionState } from './partition-state';

/** A partition that should have more is fetched within milliseconds; one whose broker is away holds up the others for so long only. */
const PATIENCE_MILLIS = 2_000;
/** A process that looks ten times a second, and has not looked for so long, stood still: it was suspended, or had no processor. */
const STANDSTILL_MILLIS = 1_000;
const LOOK_EVERY_MILLIS = 100;
/** A process that stands still again and again must not wait all the time in between. */
const WAITS_APART_MILLIS = 10_000;

/**
 * How long a partition that sends nothing is waited for, so that records of several are handed on in the order in which they arrived.
 * After a standstill nobody knows which partition has a backlog: what comes first was fetched before it, and says nothing of now.
 */
export class Patience {
  private lookedAt: number;
  private wokeAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.lookedAt = now();
  }

  start(): void {
    this.timer = setInterval(() => {
      this.look();
    }, LOOK_EVERY_MILLIS);
  }

  close(): void {
    clearInterval(this.timer);
  }

  /** Notice a standstill. @returns milliseconds on the clock of `heardAt` */
  look(): number {
    const now = this.now();
    if (now - this.lookedAt > STANDSTILL_MILLIS && now - this.wokeAt > WAITS_APART_MILLIS) this.wokeAt = now;
    this.lookedAt = now;
    return now;
  }

  /** Whether a partition, none of whose records wait here, may still have some that arrived before those of others that do. */
  isDueTo({
    read,
    highWatermark,
    heardAt,
  }: Pick<PartitionState, 'read' | 'highWatermark' | 'heardAt'>): boolean {
    const now = this.look();
    if (now - this.wokeAt < PATIENCE_MILLIS) return true;
    return (read === 0 || read < highWatermark) && now - heardAt < PATIENCE_MILLIS;
  }
}
