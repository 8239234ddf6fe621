import { type MeanChange } from './mean-change';

/** Settings of the detector; the defaults are River's. */
export interface AdwinOptions {
  /** Probability of a false alarm at any one check. */
  readonly delta?: number;
  /** Values between two checks. */
  readonly clock?: number;
  /** Buckets of one size before the two oldest become one of twice the size. */
  readonly maxBuckets?: number;
  /** Sub-windows shorter than this are not compared. */
  readonly minWindowLength?: number;
  /** Values before the first check. */
  readonly gracePeriod?: number;
}

/** 2^level values: their sum and their sum of squared deviations from their mean. */
interface Bucket {
  readonly total: number;
  readonly variance: number;
}

/**
 * ADWIN (Bifet and Gavaldà 2007, "Learning from Time-Changing Data with Adaptive Windowing"; ADWIN2 as in River 0.26): keeps a window of the
 * latest values, as long as no two parts of it have different means, and drops the old part when they do. Memory is logarithmic in the
 * window's length. After an alarm the next value starts a new window.
 */
export class Adwin {
  private readonly delta: number;
  private readonly clock: number;
  private readonly maxBuckets: number;
  private readonly minWindowLength: number;
  private readonly gracePeriod: number;
  /** Buckets by level, oldest first in each level. */
  private levels: Bucket[][] = [[]];
  private length = 0;
  private total = 0;
  private variance = 0;
  private ticks = 0;
  private alarmed = false;
  private direction: MeanChange | null = null;

  constructor({
    delta = 0.002,
    clock = 32,
    maxBuckets = 5,
    minWindowLength = 5,
    gracePeriod = 10,
  }: AdwinOptions = {}) {
    this.delta = delta;
    this.clock = clock;
    this.maxBuckets = maxBuckets;
    this.minWindowLength = minWindowLength;
    this.gracePeriod = gracePeriod;
  }

  /** @returns whether the check at this value found a change. */
  update(value: number): boolean {
    if (this.alarmed) this.reset();
    this.insert(value);
    this.ticks += 1;
    this.alarmed = this.ticks % this.clock === 0 && this.length > this.gracePeriod && this.dropOldPart();
    return this.alarmed;
  }

  /** Which way the mean went at the latest alarm; null before the first. */
  get change(): MeanChange | null {
    return this.direction;
  }

  /** Values in the window. */
  get width(): number {
    return this.length;
  }

  /** Mean of the window; 0 when it is empty. */
  get estimation(): number {
    return this.length === 0 ? 0 : this.total / this.length;
  }

  private reset(): void {
    this.levels = [[]];
    this.length = 0;
    this.total = 0;
    this.variance = 0;
    this.ticks = 0;
    this.alarmed = false;
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

  /** A level with too many buckets hands its two oldest, as one, to the next. */
  private compress(): void {
    for (let level = 0; level < this.levels.length; level += 1) {
      const buckets = this.levels[level];
      if (buckets === undefined || buckets.length <= this.maxBuckets) return;
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
  private dropOldPart(): boolean {
    const before = this.estimation;
    let changed = false;
    while (this.findCut()) {
      changed = true;
      this.dropOldestBucket();
    }
    // What is left is the new part: its mean has moved away from that of both together.
    if (changed) this.direction = this.estimation > before ? 'rise' : 'fall';
    return changed;
  }

  /** Move the cut from the oldest bucket to the newest; true where the means on either side differ too much. */
  private findCut(): boolean {
    let oldLength = 0;
    let oldTotal = 0;
    for (let level = this.levels.length - 1; level >= 0; level -= 1) {
      const buckets = this.levels[level] ?? [];
      for (const bucket of buckets) {
        oldLength += 2 ** level;
        oldTotal += bucket.total;
        const newLength = this.length - oldLength;
        if (oldLength < this.minWindowLength || newLength < this.minWindowLength) continue;
        const difference = oldTotal / oldLength - (this.total - oldTotal) / newLength;
        if (Math.abs(difference) > this.cutThreshold(oldLength, newLength)) return true;
      }
    }
    return false;
  }

  /** ε_cut of the paper's section 3.1, with the window's variance. */
  private cutThreshold(oldLength: number, newLength: number): number {
    const deltaPrime = Math.log((2 * Math.log(this.length)) / this.delta);
    const harmonic = 1 / (oldLength - this.minWindowLength + 1) + 1 / (newLength - this.minWindowLength + 1);
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
