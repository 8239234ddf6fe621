import { type Sensors } from '../core/contracts/task';
import { type Micros } from '../core/contracts/time';
import { type Random, seededRandom } from '../core/platform/random';
import {
  BOUNDS_BY_SENSOR,
  COVARIATE_SCATTER,
  DUPLICATE_CHANCE,
  DUPLICATE_DELAY_MILLIS,
  LATE_CHANCE,
  LATE_WINDOWS,
  SCATTER_BY_SENSOR,
  SPIKE_PART,
  TIME_JITTER,
} from './constants';
import { eventText, TextSlab } from './event-text';
import { recordedLabel, spikeOf, unitScale, windowSeries } from './means';
import { type DevicePlan, type FleetPlan } from './plan';

/** When the fleet plays: live window k is `[liveStart + k · windowMicros, …)`. */
export interface LiveGrid {
  readonly liveStart: Micros;
  readonly windowMicros: Micros;
  /** Readings a device and window. */
  readonly readings: number;
  readonly sensors: Sensors;
}

/** One message of the fleet. */
export interface FleetEvent {
  readonly device: DevicePlan;
  /** When it is sent, by the true clock, in ms: the Kafka record's timestamp. */
  readonly sentMillis: number;
  /** The time by the device's own clock, in ms: `timestamp` of the event. */
  readonly eventMillis: number;
  /** JSON. */
  readonly value: Buffer;
}

/**
 * Everything that the fleet sends during live window `window`, in the order of sending. Depends on the plan, the grid and
 * the window alone: any window can be made again at any time, so that a fleet resumes after a restart.
 *
 * Readings are scattered around the window's true mean and never lead towards the next one. Late senders delay some readings
 * by up to four windows; delayed readings of earlier windows are among the events of this one.
 */
export function windowEvents(plan: FleetPlan, grid: LiveGrid, window: number): readonly FleetEvent[] {
  const [fromMillis, untilMillis] = boundsOf(grid, window);
  const events: FleetEvent[] = [];
  const slab = new TextSlab();
  for (const device of plan.devices) {
    const first = device.fault === 'late' ? Math.max(0, window - LATE_WINDOWS) : window;
    for (let origin = first; origin <= window; origin += 1) {
      for (const event of eventsOf(plan, grid, device, origin, slab)) {
        if (event.sentMillis >= fromMillis && event.sentMillis < untilMillis) events.push(event);
      }
    }
  }
  return inOrder(events, fromMillis);
}

function boundsOf(grid: LiveGrid, window: number): readonly [number, number] {
  return [
    Math.ceil((grid.liveStart + window * grid.windowMicros) / 1_000),
    Math.ceil((grid.liveStart + (window + 1) * grid.windowMicros) / 1_000),
  ];
}

/** Numbers sort far faster than objects: the time and the place in the list go into one of them. */
function inOrder(events: readonly FleetEvent[], fromMillis: number): readonly FleetEvent[] {
  const count = events.length;
  const keys = Float64Array.from(
    events,
    ({ sentMillis }, index) => (sentMillis - fromMillis) * count + index,
  ).sort();
  return Array.from(keys, (key) => events[key % count]).filter((event) => event !== undefined);
}

/** All messages about the readings of one window of one device, whenever they are sent. */
function eventsOf(
  plan: FleetPlan,
  grid: LiveGrid,
  device: DevicePlan,
  window: number,
  slab: TextSlab,
): readonly FleetEvent[] {
  const means = windowSeries(plan, device, window, 1);
  const target = means.target[0] ?? Number.NaN;
  if (Number.isNaN(target)) return [];
  const covariates = means.covariates.map(([mean = Number.NaN]) => mean);
  const [fromMillis, untilMillis] = boundsOf(grid, window);
  const readings = plan.asRecorded ? 1 : grid.readings;
  const spacing = (untilMillis - fromMillis) / readings;
  const { character, fault } = device;
  const random = seededRandom(plan.seed, 'fleet', 'readings', device.index, window);
  const spike = spikeReadings(plan, device, window, readings, random.uniform());
  const recorded = recordedLabel(plan, device, window);
  const scatter = character.scatter * unitScale(device);
  const events: FleetEvent[] = [];
  for (let reading = 0; reading < readings; reading += 1) {
    const jitter = plan.asRecorded ? 0 : TIME_JITTER;
    const share = (1 - jitter) * character.phase + jitter * random.uniform();
    const trueMillis = Math.floor(fromMillis + (reading + share) * spacing);
    const spiked = reading >= spike.from && reading < spike.until;
    const eventMillis = trueMillis + clockErrorMillis(device, grid, window + reading / readings);
    const text = eventText({
      device: device.id,
      millis: eventMillis,
      sensors: grid.sensors,
      target: target - spike.mean + (spiked ? spike.size : 0) + scatter * random.normal(),
      covariates: plan.asRecorded
        ? covariates
        : covariates.map((mean, index) => scattered(grid.sensors, index, mean, random)),
      label: spiked || (recorded ?? (plan.asRecorded ? null : false)),
    });
    const value = slab.put(text);
    const delay = fault === 'late' ? lateBy(random, untilMillis - fromMillis) : 0;
    events.push({ device, sentMillis: trueMillis + delay, eventMillis, value });
    if (fault === 'duplicates' && random.uniform() < DUPLICATE_CHANCE) {
      const again = Math.min(trueMillis + DUPLICATE_DELAY_MILLIS, untilMillis - 1);
      events.push({ device, sentMillis: again, eventMillis, value });
    }
  }
  return events;
}

/** A reading of a covariate around its mean, within the sensor's bounds. */
function scattered({ covariates }: Sensors, index: number, mean: number, random: Random): number {
  const sensor = covariates[index]?.sensor ?? '';
  const value = mean + (SCATTER_BY_SENSOR[sensor] ?? COVARIATE_SCATTER) * random.normal();
  const bounds = BOUNDS_BY_SENSOR[sensor];
  return bounds === undefined ? value : Math.min(bounds.to, Math.max(bounds.from, value));
}

/** The readings of a window that a spike hits, each further than the mean so that the mean moves by the plan's amount. */
function spikeReadings(
  plan: FleetPlan,
  device: DevicePlan,
  window: number,
  readings: number,
  place: number,
): { readonly from: number; readonly until: number; readonly size: number; readonly mean: number } {
  const mean = spikeOf(plan, device, window);
  if (mean === 0) return { from: 0, until: 0, size: 0, mean: 0 };
  const hit = Math.max(1, Math.round(readings * SPIKE_PART));
  const from = Math.floor(place * (readings - hit + 1));
  return { from, until: from + hit, size: (mean * readings) / hit, mean };
}

function clockErrorMillis({ character, fault }: DevicePlan, grid: LiveGrid, windowsPlayed: number): number {
  if (fault !== 'drifting-clock') return 0;
  const windows = character.clockOffset + character.clockDrift * windowsPlayed;
  return Math.round((windows * grid.windowMicros) / 1_000);
}

function lateBy(random: { uniform(): number }, windowMillis: number): number {
  const late = random.uniform() < LATE_CHANCE;
  const delay = Math.floor(random.uniform() * (LATE_WINDOWS - 1) * windowMillis);
  return late ? delay : 0;
}
