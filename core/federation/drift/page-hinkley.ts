import { PAGE_HINKLEY } from '../constants';
import { type Detector, type MeanChange } from './detector';

export interface PageHinkleySettings extends Readonly<Record<keyof typeof PAGE_HINKLEY, number>> {
  /** Mean before a change, where it is known: then the test is Page's own, a CUSUM; left out: that of the values so far. */
  readonly knownMean?: number;
}

/**
 * Page–Hinkley test for a change of the mean in either direction (Page 1954, Biometrika 41; as in River 0.26). With x̄ the mean so far,
 * up ← α·up + (x − x̄) − δ, down ← α·down + (x − x̄) + δ; alarm when up − min(up) or max(down) − down exceeds the threshold λ.
 */
export class PageHinkley implements Detector {
  private count = 0;
  private mean = 0;
  private up = 0;
  private down = 0;
  private minUp = Number.POSITIVE_INFINITY;
  private maxDown = -1;

  constructor(private readonly settings: PageHinkleySettings = PAGE_HINKLEY) {}

  update(value: number): MeanChange | null {
    const { minValues, delta, threshold, alpha, knownMean } = this.settings;
    this.count += 1;
    this.mean += (value - this.mean) / this.count;
    const deviation = value - (knownMean ?? this.mean);
    this.up = alpha * this.up + deviation - delta;
    this.down = alpha * this.down + deviation + delta;
    this.minUp = Math.min(this.minUp, this.up);
    this.maxDown = Math.max(this.maxDown, this.down);
    const rose = this.up - this.minUp > threshold;
    const fell = this.maxDown - this.down > threshold;
    if (this.count < minValues || !(rose || fell)) return null;
    return rose ? 'rise' : 'fall';
  }
}
