import { seededRandom, type Random } from '../core/platform/random';
import { type DeviceSeries } from '../core/model/types';
import {
  LAG_MEMORY_WINDOWS,
  MILD_NOISE_STDDEV,
  NOISE_BLOCK_WINDOWS,
  NOISE_STDDEV,
  NOISY_STDDEV,
  SPIKE_CHANCE,
  SPIKE_STDDEV,
  STUCK_STDDEV,
} from './constants';
import { type Fault } from './faults';
import { type DevicePlan, type Era, type FleetPlan } from './plan';

/**
 * `lived`: the device's windows with the scenario's change. `settled`: as if the change had held for ever, so that the lags of the windows
 * just after it are from the same slot (a benchmark of adaptation needs them without an artificial jump).
 */
export type Course = 'lived' | 'settled';

/**
 * The true mean of each window of a device: recorded value → thermal lag → gain and offset → noise → the scenario's gain →
 * fault. Windows count from the first live one; the past is negative. Each window depends on the plan and its number alone,
 * so that any range gives the same values. NaN where nothing was recorded: the device is silent there.
 *
 * @returns the sensors' means in their units (the target's in another one for a wrong unit, as the device reports it); `count` long.
 */
export function windowSeries(
  plan: FleetPlan,
  device: DevicePlan,
  from: number,
  count: number,
  course: Course = 'lived',
): DeviceSeries {
  const target = laggedTarget(plan, device, from, count, course);
  const own = ownNoise(plan, device, from, count);
  const ofFault = faultNoise(plan, device, from, count);
  const stuckAt = device.fault === 'stuck' ? healthyValue(plan, device, -plan.historyWindows, course) : 0;
  for (let index = 0; index < count; index += 1) {
    const calm = calibrated(device, target[index] ?? Number.NaN, own[index] ?? 0);
    const value = calm * eraOf(plan, device, from + index, course).gain;
    target[index] = withFault(device, value, ofFault[index] ?? 0, stuckAt);
  }
  return {
    target,
    covariates: device.series.covariates.map((values) =>
      recordedMeans(plan, device, values, from, count, course),
    ),
  };
}

/** How far a spike moves the mean of a window, in °C; 0 in windows without one. */
export function spikeOf(plan: FleetPlan, device: DevicePlan, window: number): number {
  return device.fault === 'spikes' ? (faultNoise(plan, device, window, 1)[0] ?? 0) : 0;
}

/** Whether the recording marks an anomaly in what the window replays; null when it marks none anywhere. */
export function recordedLabel(plan: FleetPlan, device: DevicePlan, window: number): boolean | null {
  const { label, firstStep } = device.series;
  if (label === null) return null;
  const era = eraOf(plan, device, window, 'lived');
  const step = stepOf(era, window) - firstStep;
  for (let part = 0; part < era.speed; part += 1) {
    if (wrapped(label, step + part) === 1) return true;
  }
  return false;
}

/** From the device's own unit (°C, but for a wrong one) of a difference: 1.8 for a device that reports °F. */
export function unitScale(device: DevicePlan): number {
  return device.fault === 'wrong-unit' ? 1.8 : 1;
}

function eraOf(plan: FleetPlan, device: DevicePlan, window: number, course: Course): Era {
  return course === 'settled' || window >= plan.changeWindow ? device.after : device.before;
}

function stepOf(era: Era, window: number): number {
  return era.step + (window - era.atWindow) * era.speed;
}

/** A fleet that plays beyond its plan starts the recording over when it ends. */
function wrapped(values: Float32Array | Uint8Array, step: number): number {
  const { length } = values;
  return values[step >= 0 && step < length ? step : ((step % length) + length) % length] ?? Number.NaN;
}

/** Recorded mean of each window: of one step, or of the two that play in one. */
function recordedMeans(
  plan: FleetPlan,
  device: DevicePlan,
  values: Float32Array,
  from: number,
  count: number,
  course: Course,
): Float64Array {
  const means = new Float64Array(count);
  const { firstStep } = device.series;
  for (let index = 0; index < count; index += 1) {
    const era = eraOf(plan, device, from + index, course);
    const step = stepOf(era, from + index) - firstStep;
    const first = wrapped(values, step);
    means[index] = era.speed === 1 ? first : 0.5 * (first + wrapped(values, step + 1));
  }
  return means;
}

/** First-order lag T ← l·v + (1 − l)·T, begun `LAG_MEMORY_WINDOWS` before each window; silent windows leave T as it is. */
function laggedTarget(
  plan: FleetPlan,
  device: DevicePlan,
  from: number,
  count: number,
  course: Course,
): Float64Array {
  const recorded = recordedMeans(
    plan,
    device,
    device.series.target,
    from - LAG_MEMORY_WINDOWS,
    count + LAG_MEMORY_WINDOWS,
    course,
  );
  const { thermalLag } = device.character;
  const lagged = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    let state = Number.NaN;
    let value = Number.NaN;
    for (let step = index; step <= index + LAG_MEMORY_WINDOWS; step += 1) {
      value = recorded[step] ?? Number.NaN;
      if (Number.isNaN(value)) continue;
      state = Number.isNaN(state) ? value : thermalLag * value + (1 - thermalLag) * state;
    }
    lagged[index] = Number.isNaN(value) ? Number.NaN : state;
  }
  return lagged;
}

function calibrated({ character }: DevicePlan, lagged: number, noise: number): number {
  return lagged * character.gain + character.offset + noise;
}

/** The first recorded window without its fault: the value that a stuck sensor stopped at. */
function healthyValue(plan: FleetPlan, device: DevicePlan, window: number, course: Course): number {
  for (let later = window; later < plan.liveWindows; later += 1) {
    const lagged = laggedTarget(plan, device, later, 1, course)[0] ?? Number.NaN;
    if (!Number.isNaN(lagged)) return calibrated(device, lagged, 0);
  }
  return Number.NaN;
}

function withFault(device: DevicePlan, value: number, noise: number, stuckAt: number): number {
  switch (device.fault) {
    case 'stuck':
      return Number.isNaN(value) ? value : stuckAt + noise;
    case 'wrong-unit':
      return value * 1.8 + 32;
    case 'noisy':
    case 'mild-noise':
    case 'spikes':
      return value + noise;
    case 'none':
    case 'mild-gain':
    case 'drifting-clock':
    case 'duplicates':
    case 'late':
      return value;
  }
}

type Draw = (random: Random) => number;

/** What a fault adds to each window's mean, in °C; null for faults that add nothing. */
const FAULT_NOISE: Readonly<Record<Fault, Draw | null>> = {
  none: null,
  'mild-gain': null,
  'wrong-unit': null,
  'drifting-clock': null,
  duplicates: null,
  late: null,
  stuck: (random) => STUCK_STDDEV * random.normal(),
  noisy: (random) => NOISY_STDDEV * random.normal(),
  'mild-noise': (random) => MILD_NOISE_STDDEV * random.normal(),
  spikes: (random) => {
    const size = SPIKE_STDDEV * random.normal();
    return random.uniform() < SPIKE_CHANCE ? size : 0;
  },
};

function ownNoise(plan: FleetPlan, device: DevicePlan, from: number, count: number): Float64Array {
  if (plan.asRecorded) return new Float64Array(count);
  return noiseOf(plan, device, 'noise', from, count, (random) => NOISE_STDDEV * random.normal());
}

function faultNoise(plan: FleetPlan, device: DevicePlan, from: number, count: number): Float64Array {
  const draw = FAULT_NOISE[device.fault];
  return draw === null ? new Float64Array(count) : noiseOf(plan, device, 'fault', from, count, draw);
}

/** A range of a device's endless noise, drawn in blocks that begin on a grid. Each kind has a stream of its own. */
function noiseOf(
  plan: FleetPlan,
  device: DevicePlan,
  kind: string,
  from: number,
  count: number,
  draw: Draw,
): Float64Array {
  const noise = new Float64Array(count);
  const firstBlock = Math.floor(from / NOISE_BLOCK_WINDOWS);
  const lastBlock = Math.floor((from + count - 1) / NOISE_BLOCK_WINDOWS);
  for (let block = firstBlock; block <= lastBlock; block += 1) {
    const random = seededRandom(plan.seed, 'fleet', kind, device.index, block);
    const first = block * NOISE_BLOCK_WINDOWS - from;
    for (let index = first; index < Math.min(first + NOISE_BLOCK_WINDOWS, count); index += 1) {
      const value = draw(random);
      if (index >= 0) noise[index] = value;
    }
  }
  return noise;
}
