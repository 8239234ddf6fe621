import { type LiveGrid } from '../../../fleet/events';
import { type RecordedSeries, type Recording } from '../../../fleet/recording';
import { DEFAULT_TASK } from '../../../core/contracts/task';

/** Recordings that a test can reason about: no files, no randomness. */
export function recordedSeries(
  id: string,
  temperature: (step: number) => number,
  steps: number,
): RecordedSeries {
  return {
    id,
    firstStep: 0,
    target: Float32Array.from({ length: steps }, (_, step) => temperature(step)),
    covariates: [
      Float32Array.from({ length: steps }, (_, step) => 50 + (step % 10)),
      Float32Array.from({ length: steps }, (_, step) => 1_000 + (step % 7)),
    ],
    label: null,
  };
}

/** The series of a sensor that has no pressure. */
export function withoutPressure(series: RecordedSeries): RecordedSeries {
  const [humidity, pressure] = series.covariates;
  return { ...series, covariates: [humidity!, pressure!.map(() => Number.NaN)] };
}

/** Daily swing on a yearly one, hourly, as weather has it: `years` long. */
export function weather(series = 3, years = 2): Recording {
  const steps = years * 8_760;
  const temperature = (shift: number) => (step: number) =>
    12 + 12 * Math.sin((2 * Math.PI * step) / 8_760) + 6 * Math.sin((2 * Math.PI * (step + shift)) / 24);
  return {
    startMicros: Date.parse('2013-01-01T00:00:00Z') * 1_000,
    stepMicros: 3_600_000_000,
    series: Array.from({ length: series }, (_, index) =>
      recordedSeries(`town-${index}`, temperature(index), steps),
    ),
  };
}

/** The temperature is the number of the step: any value tells where it comes from. */
export function counting(steps: number): Recording {
  return {
    startMicros: 0,
    stepMicros: 60_000_000,
    series: [recordedSeries('counter', (step) => step, steps)],
  };
}

export const GRID: LiveGrid = {
  liveStart: Date.parse('2024-01-01T03:00:30Z') * 1_000,
  windowMicros: 30_000_000,
  readings: 12,
  sensors: DEFAULT_TASK,
};

/** Standard deviation around the mean. */
export function spread(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}
