import {
  implausibleTime,
  isPlausible,
  type MalformedDetail,
  type PlausibleSpan,
} from '../../contracts/events';
import { readingFault, type ReadingRange, type Sensors } from '../../contracts/task';
import { type EventFields } from './event';

/** Judges what a parsed event says, by the fleet's own words: which times are plausible, and which numbers of a sensor are readings. */
export class Plausibility {
  /** By sensor, the target first. */
  private readonly ranges: readonly ReadingRange[];
  /** Every number of every sensor is a reading. */
  private readonly isUnlimited: boolean;

  constructor(
    { target, covariates }: Sensors,
    private readonly plausible: PlausibleSpan,
  ) {
    this.ranges = [target, ...covariates];
    this.isUnlimited = this.ranges.every(isUnlimited);
  }

  /** An implausible time or target makes the event malformed; an implausible value of a covariate is taken out of it and counted. */
  judge(event: EventFields): MalformedDetail | undefined {
    const { micros } = event;
    if (!isPlausible(this.plausible, micros)) return implausibleTime(micros, this.plausible);
    return this.isUnlimited ? undefined : this.judgeReadings(event);
  }

  private judgeReadings(event: EventFields): MalformedDetail | undefined {
    const { values } = event;
    for (let sensor = 0; sensor < values.length; sensor += 1) {
      const value = values[sensor] ?? NaN;
      const range = this.ranges[sensor];
      if (range === undefined || Number.isNaN(value)) continue;
      const fault = readingFault(range, value);
      if (fault === undefined) continue;
      if (sensor === 0) return fault;
      values[sensor] = NaN;
      event.badValues += 1;
    }
    return undefined;
  }
}

function isUnlimited({ min = -Infinity, max = Infinity, missing = [] }: ReadingRange): boolean {
  return min === -Infinity && max === Infinity && missing.length === 0;
}
