import { z } from 'zod';
import { type Task } from './task';
import { isoOfMicros, MICROS_PER_MILLI, microsSchema, type Micros } from './time';

/**
 * When a fleet can have a round, and the sentence that says so: the same in a round that begins too early, in `fedloop status` and in
 * `fedloop round start`.
 */

/** Targets behind a full look-back that a first round has: enough for the 6 freshest windows that panels follow, and two before them. */
export const FIRST_ROUND_TARGETS = 8;

/**
 * Rows (targets) that the devices of a fleet must have together, those that train and those that judge: a mini-batch of the default size. It
 * is the fleet that needs them, not each device: a round averages over devices.
 */
export const MIN_FLEET_ROWS = 32;

/**
 * A device is silent when it has closed no window for this many times its usual time between two windows: it then has none of the freshest
 * windows that panels judge on.
 */
export const SILENT_WINDOWS = 6;

/** A round has three panels that judge, of at least one device each. */
export const MIN_PANEL_DEVICES = 3;

/** Closed windows after which the first round of a fleet without history is possible. */
export function firstRoundWindows({ lags }: Pick<Task, 'lags'>): number {
  return lags + FIRST_ROUND_TARGETS;
}

const counts = {
  /** Devices that send. */
  devices: z.int().min(0),
  /** Devices that have fallen silent; they are in again when they return. */
  silent: z.int().min(0),
  /** Devices that send, but in too few windows for a forecast. */
  tooSparse: z.int().min(0),
  /** Devices with enough rows to train or to judge. */
  trainable: z.int().min(0),
  /** Rows of all devices that send. */
  rows: z.int().min(0),
};

/** How far a site's devices are on their way to a round. */
export const siteReadinessSchema = z.object({
  ...counts,
  /**
   * Closed windows since half of the devices that can be forecast have been there; counted up to `firstRoundWindows`. Once a trained version serves, of
   * those that can train.
   */
  windows: z.int().min(0),
  /** Start of the newest window that the devices that send have closed. */
  latestWindow: microsSchema.nullable(),
});
export type SiteReadiness = z.infer<typeof siteReadinessSchema>;

/** How far a fleet is, and what a round needs. */
export interface FleetReadiness extends SiteReadiness {
  readonly windowsNeeded: number;
  readonly devicesNeeded: number;
}

/** The readiness of all sites as one. A site that joins later does not stop the others. */
export function fleetReadiness(
  sites: readonly SiteReadiness[],
  task: Pick<Task, 'lags'>,
  minUpdates: number,
): FleetReadiness {
  const sum = (name: keyof typeof counts): number => sites.reduce((total, site) => total + site[name], 0);
  const latest = sites.flatMap(({ latestWindow }) => latestWindow ?? []);
  return {
    devices: sum('devices'),
    silent: sum('silent'),
    tooSparse: sum('tooSparse'),
    trainable: sum('trainable'),
    rows: sum('rows'),
    windows: Math.max(0, ...sites.map(({ windows }) => windows)),
    latestWindow: latest.length === 0 ? null : Math.max(...latest),
    windowsNeeded: firstRoundWindows(task),
    devicesNeeded: MIN_PANEL_DEVICES + minUpdates,
  };
}

/** Whether only time is missing: the fleet sends, and its windows are too few yet. */
export function needsWindows({ windows, windowsNeeded }: FleetReadiness): boolean {
  return windows < windowsNeeded;
}

/** The settings that the sentence depends on. */
export const readinessSettingsSchema = z.object({
  task: z.object({ lags: z.int(), windowMicros: microsSchema }),
  watermarkMicros: microsSchema,
  idleMillis: z.number(),
});
export type ReadinessSettings = Readonly<z.infer<typeof readinessSettingsSchema>>;

/** Answer of the activity `siteReadiness`, and of a site's `/status`: with the settings, which who asks does not have. */
export const siteReadinessReportSchema = z.object({
  readiness: siteReadinessSchema,
  settings: readinessSettingsSchema,
});
export type SiteReadinessReport = Readonly<z.infer<typeof siteReadinessReportSchema>>;

/**
 * What a round still waits for, as one sentence without a full stop; null when it can begin. With the wall clock it says when the first
 * round is possible, where windows close as that clock goes; a simulated fleet has another clock, and then there are windows only.
 */
export function whatRoundNeeds(
  readiness: FleetReadiness,
  settings: ReadinessSettings,
  now: Micros | null,
): string | null {
  const { devices, silent, tooSparse, trainable, rows, devicesNeeded } = readiness;
  if (devices === 0 && silent > 0)
    return `all ${silent} devices are silent: no window has closed for ${SILENT_WINDOWS} times as long as usual`;
  const seconds = settings.task.windowMicros / 1_000_000;
  if (devices > 0 && tooSparse === devices)
    return `none of ${devices} devices can be forecast: each lacks too many of its latest windows of ${seconds} s; wait for new ones, or use a longer window where devices send more seldom`;
  if (needsWindows(readiness)) return windowsSoFar(readiness, settings, now);
  if (trainable < devicesNeeded)
    return `${trainable} devices have enough windows, and a round needs ${devicesNeeded}: ${MIN_PANEL_DEVICES} judge, the others train`;
  if (rows < MIN_FLEET_ROWS)
    return `the fleet has ${rows} rows to train and judge on, and a round needs ${MIN_FLEET_ROWS}`;
  return null;
}

/** `13 of 32 windows, first round about 21:12 UTC`. */
function windowsSoFar(readiness: FleetReadiness, settings: ReadinessSettings, now: Micros | null): string {
  const so = `${readiness.windows} of ${readiness.windowsNeeded} windows`;
  const at = firstRoundAt(readiness, settings, now);
  if (at === null) return so;
  // To the minute, upwards: the first round must not come later than it says by rounding alone.
  const minute = 60_000_000;
  const text = isoOfMicros(Math.ceil(at / minute) * minute);
  const day =
    now !== null && isoOfMicros(now).slice(0, 10) === text.slice(0, 10) ? '' : `${text.slice(0, 10)} `;
  return `${so}, first round about ${day}${text.slice(11, 16)} UTC`;
}

/** When the last window that is missing will have closed; null where windows do not close by the wall clock, or none has. */
export function firstRoundAt(
  { latestWindow, windows, windowsNeeded }: FleetReadiness,
  { task: { windowMicros }, watermarkMicros, idleMillis }: ReadinessSettings,
  now: Micros | null,
): Micros | null {
  if (now === null || latestWindow === null) return null;
  const latestEnd = latestWindow + windowMicros;
  // A window closes when the watermark reaches its end, or when its partition has been quiet; the next is open for one window more.
  const latestClose = latestEnd + watermarkMicros + idleMillis * MICROS_PER_MILLI + 2 * windowMicros;
  if (now < latestEnd || now > latestClose) return null;
  return Math.max(now, latestEnd + (windowsNeeded - windows) * windowMicros + watermarkMicros);
}
