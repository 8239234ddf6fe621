import { implausibleTime, type MalformedDetail, type PlausibleSpan } from '../../contracts/events';
import { type Sensors, type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type EventFields } from './event';

/** Which numbers of a sensor are readings. */
interface Range {
  readonly min: number;
  readonly max: number;
  readonly missing: readonly number[];
}

/** Judges what a parsed event says, by the fleet's own words: which times are plausible, and which numbers of a sensor are readings. */
export class Plausibility {
  private readonly from: Micros;
  private readonly until: Micros;
  /** By sensor, the target first. */
  private readonly ranges: readonly Range[];
  /** Every number of every sensor is a reading. */
  private readonly isUnlimited: boolean;

  constructor(
    { target, covariates }: Sensors,
    private readonly plausible: PlausibleSpan,
  ) {
    this.from = plausible.fromMicros;
    this.until = plausible.untilMicros;
    this.ranges = [target, ...covariates].map(rangeOf);
    this.isUnlimited = this.ranges.every(isUnlimited);
  }

  /** An implausible time or target makes the event malformed; an implausible value of a covariate is taken out of it and counted. */
  judge(event: EventFields): MalformedDetail | undefined {
    const { micros } = event;
    if (micros < this.from || micros > this.until) return implausibleTime(micros, this.plausible);
    return this.isUnlimited ? undefined : this.judgeReadings(event);
  }

  private judgeReadings(event: EventFields): MalformedDetail | undefined {
    const { values } = event;
    for (let sensor = 0; sensor < values.length; sensor += 1) {
      const value = values[sensor] ?? NaN;
      const range = this.ranges[sensor];
      if (range === undefined || Number.isNaN(value)) continue;
      const isCode = range.missing.includes(value);
      if (!isCode && value >= range.min && value <= range.max) continue;
      if (sensor === 0) return isCode ? 'missing-value' : 'out-of-range';
      values[sensor] = NaN;
      event.badValues += 1;
    }
    return undefined;
  }
}

function rangeOf({
  min = -Infinity,
  max = Infinity,
  missing = [],
}: Pick<Task['target'], 'min' | 'max' | 'missing'>): Range {
  return { min, max, missing };
}

function isUnlimited({ min, max, missing }: Range): boolean {
  return min === -Infinity && max === Infinity && missing.length === 0;
}
