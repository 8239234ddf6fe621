import { FedloopError } from '../core/contracts/errors';
import { deviceIdSchema, type DeviceId } from '../core/contracts/ids';
import { seededRandom, type Random } from '../core/platform/random';
import {
  CHANGE_WINDOW,
  CLOCK_DRIFT,
  CLOCK_OFFSET_WINDOWS,
  GAIN,
  HALF_OF_FLEET,
  HISTORY_WINDOWS,
  MILD_GAIN,
  MIN_SLOTS,
  NOISY_SCATTER,
  OFFSET_STDDEV,
  RECALIBRATED_GAIN,
  RECALIBRATED_PART,
  SCATTER,
  SEASON_PART,
  THERMAL_LAG,
} from './constants';
import { drawFault, drawUpdateFactor, type Fault } from './faults';
import {
  covers,
  cutSlots,
  meanLevel,
  pastSteps,
  sharedSlot,
  tooShort,
  type RunLength,
  type Slot,
} from './grid';
import { type RecordedSeries, type Recording } from './recording';
import { type Clock, type Scenario } from './settings';

export interface PlanOptions {
  readonly seed: number;
  readonly devices: number;
  readonly clock?: Clock;
  readonly scenario?: Scenario;
  readonly historyWindows?: number;
  readonly liveWindows: number;
  /** Live window from which on the scenario's change holds. */
  readonly changeWindow?: number;
  /** See `FleetPlan`. */
  readonly asRecorded?: boolean;
}

/** How a device differs from the recorded sensor: reading = gain · lagged recorded value + offset + noise. */
export interface Character {
  /** °C */
  readonly offset: number;
  readonly gain: number;
  /** Part of the way to the recorded value gone in one window; 1 = no lag. */
  readonly thermalLag: number;
  /** Standard deviation of readings around their window's mean, in °C. */
  readonly scatter: number;
  /** When in its share of the window it sends, 0 to 1. */
  readonly phase: number;
  /** Windows that its clock is off at the start, and more each window; 0 but for a drifting clock. */
  readonly clockOffset: number;
  readonly clockDrift: number;
}

/** What a device replays from some live window on. */
export interface Era {
  /** Recorded step that live window `atWindow` replays; `speed` steps play as one window. */
  readonly step: number;
  readonly atWindow: number;
  readonly speed: 1 | 2;
  /** Everything the device reads is multiplied with this. */
  readonly gain: number;
}

export interface DevicePlan {
  readonly index: number;
  readonly id: DeviceId;
  readonly series: RecordedSeries;
  /** Devices of one slot live at the same recorded time, whatever series they replay; on a shared clock there is one slot. */
  readonly slot: number;
  readonly character: Character;
  readonly fault: Fault;
  readonly before: Era;
  readonly after: Era;
  /** See `drawUpdateFactor`. */
  readonly updateFactor: number;
}

/** A fleet before it plays: pure data, the same for the same recording and options. */
export interface FleetPlan {
  readonly seed: number;
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly historyWindows: number;
  readonly liveWindows: number;
  readonly changeWindow: number;
  /** Nothing is invented: each series is one device, at the same time as the others, without a character, noise or faults. */
  readonly asRecorded: boolean;
  readonly devices: readonly DevicePlan[];
}

/**
 * Give every device a slot of the recording, a character and perhaps a fault.
 * @throws FedloopError `InvalidData` when the recording is too short for the run, with remedies.
 */
export function planFleet(recording: Recording, options: PlanOptions): FleetPlan {
  const { asRecorded = false } = options;
  const plan = {
    seed: options.seed,
    scenario: options.scenario ?? 'stationary',
    clock: asRecorded ? ('shared' as const) : (options.clock ?? 'independent'),
    asRecorded,
    historyWindows: options.historyWindows ?? HISTORY_WINDOWS,
    liveWindows: options.liveWindows,
    changeWindow: options.changeWindow ?? CHANGE_WINDOW,
  };
  const places = dealPlaces(recording, plan);
  const count = asRecorded ? Math.min(options.devices, places.length) : options.devices;
  const devices = Array.from({ length: count }, (_, index) => {
    const place = places[index % places.length];
    if (place === undefined) throw new FedloopError('Internal', 'a fleet was planned without places');
    return planDevice(plan, place, index);
  });
  return { ...plan, devices };
}

type PlanFrame = Omit<FleetPlan, 'devices'>;

/** A series in a slot (in `season` in two of them): what several devices may replay, each with its own character. */
interface Place {
  readonly series: RecordedSeries;
  readonly slot: number;
  readonly first: Slot;
  readonly then: Slot;
}

/** All places, shuffled, so that a small fleet is spread as evenly as a large one. */
function dealPlaces(recording: Recording, plan: PlanFrame): readonly Place[] {
  const run = runLength(plan);
  const random = seededRandom(plan.seed, 'fleet', 'slots');
  const pairs =
    plan.scenario === 'season'
      ? seasonPairs(recording, plan, run, random)
      : (plan.clock === 'shared'
          ? [sharedSlot(recording, run, random)]
          : cutSlots(recording, run, random)
        ).map((slot): readonly [Slot, Slot] => [slot, slot]);
  const places = pairs.flatMap(([first, then], slot) =>
    recording.series
      .filter((series) => covers(series, first, run) && covers(series, then, run))
      .map((series): Place => ({ series, slot, first, then })),
  );
  const slots = new Set(places.map(({ slot }) => slot)).size;
  if (slots < (plan.clock === 'shared' ? 1 : MIN_SLOTS)) {
    throw tooShort(recording, `its series have too many gaps for a run of ${run.past + run.live} steps`, [
      'Give series with fewer gaps',
      'or ask for fewer windows or rounds.',
    ]);
  }
  random.shuffle(places);
  return places;
}

function runLength(plan: PlanFrame): RunLength {
  const fast =
    plan.scenario === 'clock' || plan.scenario === 'clock-half'
      ? Math.max(0, plan.liveWindows - plan.changeWindow)
      : 0;
  return { past: pastSteps(plan.historyWindows), live: plan.liveWindows + fast };
}

/**
 * Cold slots, each with a warm one that the device moves to at the change, at the same hour of the day where the recording
 * allows. On a shared clock there is one pair for all.
 */
function seasonPairs(
  recording: Recording,
  plan: PlanFrame,
  run: RunLength,
  random: Random,
): readonly (readonly [Slot, Slot])[] {
  const slots = cutSlots(recording, run, random)
    .map((slot) => ({ slot, mean: meanLevel(recording, slot, run) }))
    .filter(({ mean }) => !Number.isNaN(mean))
    .sort((left, right) => left.mean - right.mean)
    .map(({ slot }) => slot);
  const half = Math.floor(slots.length / 2);
  const count = Math.max(Math.floor(slots.length * SEASON_PART), Math.min(MIN_SLOTS, half));
  const cold = slots.slice(0, count);
  const warm = slots.slice(slots.length - count);
  random.shuffle(cold);
  random.shuffle(warm);
  const stepsADay = Math.round(86_400_000_000 / recording.stepMicros);
  const pairs = cold.flatMap((first, index): (readonly [Slot, Slot])[] => {
    const then = warm[index];
    if (then === undefined) return [];
    const early = (((then.liveStart - first.liveStart) % stepsADay) + stepsADay) % stepsADay;
    const sameHour = { ...then, liveStart: then.liveStart - early };
    return [[first, sameHour.liveStart >= run.past ? sameHour : then]];
  });
  return plan.clock === 'shared' ? pairs.slice(0, 1) : pairs;
}

function planDevice(plan: PlanFrame, place: Place, index: number): DevicePlan {
  const random = seededRandom(plan.seed, 'fleet', 'device', index);
  const fault = plan.asRecorded ? 'none' : drawFault(plan.scenario, random);
  const character = plan.asRecorded ? UNCHANGED : drawCharacter(fault, random);
  const chosen = random.uniform();
  const before: Era = { step: place.first.liveStart, atWindow: 0, speed: 1, gain: 1 };
  return {
    index,
    id: plan.asRecorded ? deviceIdSchema.parse(place.series.id) : deviceId(place.series.id, index),
    series: place.series,
    slot: place.slot,
    character,
    fault,
    before,
    after: eraAfter(plan, place, before, chosen),
    updateFactor: plan.asRecorded ? 1 : drawUpdateFactor(plan.scenario, random),
  };
}

/** The recorded sensor itself. */
const UNCHANGED: Character = {
  offset: 0,
  gain: 1,
  thermalLag: 1,
  scatter: 0,
  phase: 0,
  clockOffset: 0,
  clockDrift: 0,
};

function drawCharacter(fault: Fault, random: Random): Character {
  const between = ({ from, to }: { readonly from: number; readonly to: number }): number =>
    from + (to - from) * random.uniform();
  const thermalLag = between(THERMAL_LAG);
  const gain = between(GAIN) * (fault === 'mild-gain' ? MILD_GAIN : 1);
  const offset = OFFSET_STDDEV * random.normal();
  const scatter = between(SCATTER);
  const phase = random.uniform();
  const clockOffset = CLOCK_OFFSET_WINDOWS * (2 * random.uniform() - 1);
  const clockDrift = CLOCK_DRIFT * (2 * random.uniform() - 1);
  const drifting = fault === 'drifting-clock';
  return {
    offset,
    gain,
    thermalLag,
    scatter: fault === 'stuck' ? 0 : fault === 'noisy' ? NOISY_SCATTER : scatter,
    phase,
    clockOffset: drifting ? clockOffset : 0,
    clockDrift: drifting ? clockDrift : 0,
  };
}

/** @param chosen uniform in [0, 1): whether a change that meets a part of the fleet meets this device */
function eraAfter(plan: PlanFrame, place: Place, before: Era, chosen: number): Era {
  const atWindow = plan.changeWindow;
  const unchanged: Era = { ...before, step: before.step + atWindow, atWindow };
  switch (plan.scenario) {
    case 'season':
      return { ...unchanged, step: place.then.liveStart + atWindow };
    case 'clock':
      return { ...unchanged, speed: 2 };
    case 'clock-half':
      return { ...unchanged, speed: chosen < HALF_OF_FLEET ? 2 : 1 };
    case 'recal':
      return { ...unchanged, gain: chosen < RECALIBRATED_PART ? RECALIBRATED_GAIN : 1 };
    case 'everyday':
    case 'stationary':
    case 'faults':
    case 'attack':
    case 'attack-30':
    case 'attack-scaled':
      return unchanged;
  }
}

/** Readable, unique and harmless in file names and logs, whatever the series is called. */
function deviceId(series: string, index: number): DeviceId {
  const slug = series.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64);
  return deviceIdSchema.parse(`${slug}-${String(index).padStart(5, '0')}`);
}
