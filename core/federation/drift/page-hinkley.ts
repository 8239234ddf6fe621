import { type MeanChange } from './mean-change';

/** Settings of the test; the defaults are River's. */
export interface PageHinkleyOptions {
  /** Values before the first alarm is possible. */
  readonly minInstances?: number;
  /** Changes smaller than this are tolerated. */
  readonly delta?: number;
  /** λ: the larger, the fewer false alarms and the later the true ones. */
  readonly threshold?: number;
  /** Forgetting of the cumulative sums. */
  readonly alpha?: number;
}

/**
 * Page–Hinkley test for a change of the mean in either direction (Page 1954, Biometrika 41; as in River 0.26). With x̄ the mean so far,
 * up ← α·up + (x − x̄) − δ, down ← α·down + (x − x̄) + δ; alarm when up − min(up) or max(down) − down exceeds λ.
 * After an alarm the next value starts afresh.
 */
export class PageHinkley {
  private readonly minInstances: number;
  private readonly delta: number;
  private readonly threshold: number;
  private readonly alpha: number;
  private count = 0;
  private mean = 0;
  private up = 0;
  private down = 0;
  private leastUp = Number.POSITIVE_INFINITY;
  private mostDown = -1;
  private alarmed = false;
  private direction: MeanChange | null = null;

  constructor({
    minInstances = 30,
    delta = 0.005,
    threshold = 50,
    alpha = 1 - 0.0001,
  }: PageHinkleyOptions = {}) {
    this.minInstances = minInstances;
    this.delta = delta;
    this.threshold = threshold;
    this.alpha = alpha;
  }

  /** @returns whether this value raised the alarm. */
  update(value: number): boolean {
    if (this.alarmed) this.reset();
    this.count += 1;
    this.mean += (value - this.mean) / this.count;
    const deviation = value - this.mean;
    this.up = this.alpha * this.up + deviation - this.delta;
    this.down = this.alpha * this.down + deviation + this.delta;
    this.leastUp = Math.min(this.leastUp, this.up);
    this.mostDown = Math.max(this.mostDown, this.down);
    const rose = this.up - this.leastUp > this.threshold;
    const fell = this.mostDown - this.down > this.threshold;
    this.alarmed = this.count >= this.minInstances && (rose || fell);
    if (this.alarmed) this.direction = rose ? 'rise' : 'fall';
    return this.alarmed;
  }

  /** Which way the mean went at the latest alarm; null before the first. */
  get change(): MeanChange | null {
    return this.direction;
  }

  private reset(): void {
    this.count = 0;
    this.mean = 0;
    this.up = 0;
    this.down = 0;
    this.leastUp = Number.POSITIVE_INFINITY;
    this.mostDown = -1;
    this.alarmed = false;
  }
}
