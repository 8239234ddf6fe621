import { type Micros } from '../core/contracts/time';
import { SHORT_GAP_STEPS, STEP_TOLERANCE } from './constants';

/** One recorded sensor on the recording's grid. Values are NaN where nothing was recorded. */
export interface RecordedSeries {
  readonly id: string;
  /** Grid step of index 0. */
  readonly firstStep: number;
  /** Values of the task's sensors in their units; equally long. */
  readonly target: Float32Array;
  readonly covariates: readonly Float32Array[];
  /** 1 where the recording marks an anomaly; null when it has no such column. */
  readonly label: Uint8Array | null;
}

/** All series of a data folder on one grid of time: step k begins at `startMicros + k · stepMicros`. */
export interface Recording {
  readonly startMicros: Micros;
  /** See `commonStep`. */
  readonly stepMicros: Micros;
  readonly series: readonly RecordedSeries[];
}

/** Steps from the recording's start to the end of its last series. */
export function stepsOf(recording: Recording): number {
  return recording.series.reduce(
    (last, { firstStep, target }) => Math.max(last, firstStep + target.length),
    0,
  );
}

/**
 * Fill gaps of at most `longest` steps on a straight line between their neighbours, in place: they come from readings that
 * miss their grid step by a little. Longer gaps, and those at either end, stay NaN: nobody knows what was there.
 */
export function fillShortGaps(values: Float32Array, longest: number = SHORT_GAP_STEPS): void {
  let lastKnown = -1;
  for (let step = 0; step < values.length; step += 1) {
    const value = values[step] ?? Number.NaN;
    if (Number.isNaN(value)) continue;
    const gap = step - lastKnown - 1;
    if (lastKnown >= 0 && gap > 0 && gap <= longest) {
      const before = values[lastKnown] ?? value;
      for (let missing = 1; missing <= gap; missing += 1) {
        values[lastKnown + missing] = before + ((value - before) * missing) / (gap + 1);
      }
    }
    lastKnown = step;
  }
}

const UNITS_MICROS = [3_600_000_000, 60_000_000, 1_000_000];

/**
 * One step for all series: the median of their median spacings in µs, taken as the whole hours, minutes or seconds that it
 * lies within 0.5 % of. Recorders are set to round numbers; jitter moves the median a little, and a grid that is a little too
 * wide would lose step with the readings.
 */
export function commonStep(spacings: readonly number[]): number {
  const sorted = [...spacings].sort((left, right) => left - right);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  for (const unit of UNITS_MICROS) {
    const whole = Math.round(median / unit) * unit;
    if (whole > 0 && Math.abs(median - whole) <= STEP_TOLERANCE * median) return whole;
  }
  return Math.round(median);
}
