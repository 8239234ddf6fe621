import { ADWIN } from '../constants';
import { type Detector, type MeanChange } from './detector';

type AdwinSettings = Readonly<Record<keyof typeof ADWIN, number>>;

/** 2^level values: their sum and their sum of squared deviations from their mean. */
interface Bucket {
  readonly total: number;
  readonly variance: number;
}

/**
 * ADWIN (Bifet and Gavaldà 2007, "Learning from Time-Changing Data with Adaptive Windowing"; ADWIN2 as in River 0.26): keeps a window of the
 * latest values, and drops its old part when the means of two parts differ. Memory is logarithmic in the window's length.
 */
export class Adwin implements Detector {
  /** Buckets by level, oldest first in each level. */
  private readonly levels: Bucket[][] = [[]];
  private length = 0;
  private total = 0;
  /** Sum of squared deviations from the window's mean. */
  private variance = 0;
  private sinceStart = 0;

  constructor(private readonly settings: AdwinSettings = ADWIN) {}

  update(value: number): MeanChange | null {
    const { valuesBetweenChecks, gracePeriod } = this.settings;
    this.insert(value);
    this.sinceStart += 1;
    const isDue = this.sinceStart % valuesBetweenChecks === 0 && this.length > gracePeriod;
    return isDue ? this.dropOldPart() : null;
  }

  private insert(value: number): void {
    this.levels[0]?.push({ total: value, variance: 0 });
    this.length += 1;
    if (this.length > 1) {
      const deviation = value - this.total / (this.length - 1);
      this.variance += ((this.length - 1) * deviation * deviation) / this.length;
    }
    this.total += value;
    this.compress();
  }

  /** In a level with too many buckets the two oldest move to the next level, as one. */
  private compress(): void {
    for (let level = 0; level < this.levels.length; level += 1) {
      const buckets = this.levels[level];
      if (buckets === undefined || buckets.length <= this.settings.maxBuckets) return;
      const [first, second] = buckets.splice(0, 2);
      if (first === undefined || second === undefined) return;
      const size = 2 ** level;
      const difference = first.total / size - second.total / size;
      const merged = {
        total: first.total + second.total,
        variance: first.variance + second.variance + (size * size * difference * difference) / (2 * size),
      };
      const next = this.levels[level + 1];
      if (next === undefined) this.levels.push([merged]);
      else next.push(merged);
    }
  }

  /** Drop the oldest bucket as long as some cut parts the window into two unlike halves. */
  private dropOldPart(): MeanChange | null {
    const before = this.total / this.length;
    let changed = false;
    while (this.findCut()) {
      changed = true;
      this.dropOldestBucket();
    }
    if (!changed) return null;
    // What is left is the new part: its mean has moved away from that of both together.
    return this.total / this.length > before ? 'rise' : 'fall';
  }

  /** Move the cut from the oldest bucket to the newest; true where the means on either side differ too much. */
  private findCut(): boolean {
    const { minWindowLength } = this.settings;
    let oldLength = 0;
    let oldTotal = 0;
    for (let level = this.levels.length - 1; level >= 0; level -= 1) {
      const buckets = this.levels[level] ?? [];
      for (const bucket of buckets) {
        oldLength += 2 ** level;
        oldTotal += bucket.total;
        const newLength = this.length - oldLength;
        if (oldLength < minWindowLength || newLength < minWindowLength) continue;
        const difference = oldTotal / oldLength - (this.total - oldTotal) / newLength;
        if (Math.abs(difference) > this.cutThreshold(oldLength, newLength)) return true;
      }
    }
    return false;
  }

  /** ε_cut of the paper's section 3.1, with the window's variance. */
  private cutThreshold(oldLength: number, newLength: number): number {
    const { delta, minWindowLength } = this.settings;
    const deltaPrime = Math.log((2 * Math.log(this.length)) / delta);
    const harmonic = 1 / (oldLength - minWindowLength + 1) + 1 / (newLength - minWindowLength + 1);
    const spread = this.variance / this.length;
    return Math.sqrt(2 * harmonic * spread * deltaPrime) + (2 / 3) * deltaPrime * harmonic;
  }

  private dropOldestBucket(): void {
    const level = this.levels.length - 1;
    const buckets = this.levels[level];
    const bucket = buckets?.shift();
    if (buckets === undefined || bucket === undefined) return;
    const size = 2 ** level;
    this.length -= size;
    this.total -= bucket.total;
    const difference = bucket.total / size - this.total / this.length;
    this.variance -= bucket.variance + (size * this.length * difference * difference) / (size + this.length);
    if (buckets.length === 0 && level > 0) this.levels.pop();
  }
}
