import { PAST_NUMBERS } from '../anomalies/device-pasts';
import { type Evaluator } from '../forecasts/evaluator';
import { type OutstandingForecasts } from '../forecasts/forecasts';
import { type ActiveVersion } from '../forecasts/versions';
import { type Header } from './state-header';

/** What a checkpoint has of anomalies: tails in its header, the devices' pasts as single-precision numbers behind all other tables. */

type SavedVersion = Header['versions'][number];

export function savedAnomalies({ anomalies }: ActiveVersion): SavedVersion['anomalies'] {
  return anomalies && { rule: 'tails', false_alarms: anomalies.falseAlarms, ...anomalies.save() };
}

export function savedDetector({ detector }: Evaluator): Header['detector'] {
  return detector && { scatter: detector.scatter.save() };
}

export function pastsOf({ detector }: Evaluator, devices: readonly number[]): Float32Array[] {
  return detector === undefined ? [] : [detector.pasts.sums.save(devices)];
}

/** Single-precision numbers of a checkpoint with so many devices. */
export function pastsCount(saved: Header['detector'], devices: number): number {
  return saved === undefined ? 0 : devices * PAST_NUMBERS;
}

export function restoreDetector(
  evaluator: Evaluator,
  saved: Header['detector'],
  devices: readonly number[],
  pasts: Float32Array,
): void {
  if (saved === undefined) return;
  const detector = evaluator.beginDetecting();
  detector.scatter.restore(saved.scatter);
  detector.pasts.sums.restore(devices, pasts);
}

/** undefined where all versions are of an earlier release. */
export function bandLimitsOf({ versions }: OutstandingForecasts): (number | null)[] | undefined {
  const limits = versions.map(({ bandLimit }) => bandLimit);
  return limits.every((limit) => limit === null) ? undefined : limits;
}
