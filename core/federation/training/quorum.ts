import {
  firstRoundWindows,
  MIN_PANEL_DEVICES,
  SILENT_WINDOWS,
  type SiteReadiness,
} from '../../contracts/readiness';
import { heldWindows, minLags } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { MIN_TRAINING_ROWS, REPORTING_SHARE } from '../constants';
import { median } from '../vectors';
import { type WindowRing } from './window-ring';

/** Who takes part in a round, and up to which window. */
export interface Quorum {
  /** Start of the newest window that nearly all devices that send have closed; undefined before the first. */
  readonly until: Micros | undefined;
  readonly sending: readonly string[];
  readonly silent: readonly string[];
}

/**
 * Whether a device has fallen silent by the window `until`: it has sent nothing for `SILENT_WINDOWS` times its own usual time between two
 * windows, and its last reading does not hold any more. A device that is ahead of `until` is not silent.
 */
export function isSilent(ring: WindowRing, deviceId: string, until: Micros): boolean {
  const latest = ring.latestSign(deviceId);
  if (latest === undefined) return true;
  const { lags, windowMicros } = ring.task;
  const windowsAgo = (until - latest) / windowMicros;
  if (windowsAgo <= Math.max(SILENT_WINDOWS, heldTargets(ring))) return false;
  const present = ring.windowsPresent(deviceId, latest, lags);
  const cadence = present === 0 ? 1 : ring.windowsSince(deviceId, latest, lags) / present;
  return windowsAgo > SILENT_WINDOWS * cadence;
}

/** For how many windows without readings the target's last one holds. */
function heldTargets(ring: WindowRing): number {
  return heldWindows(ring.task)[0] ?? 0;
}

/**
 * The devices of a site that send, and the newest window that 99 % of them have reached, with readings or with one that holds. A device that
 * falls silent leaves: it neither delays the others' last window nor trains and judges; when it returns it is in again.
 */
export function quorumOf(ring: WindowRing): Quorum {
  const now = newestWindow(ring);
  if (now === undefined) return { until: undefined, sending: [], silent: ring.devices() };
  const sending: string[] = [];
  const silent: string[] = [];
  for (const deviceId of ring.devices()) (isSilent(ring, deviceId, now) ? silent : sending).push(deviceId);
  const reached = reachedBy(ring, sending, Math.ceil(REPORTING_SHARE * sending.length));
  // Where readings hold, nobody waits for a device that sends on change; the hold of one does not lead beyond what the fleet has closed.
  const held = heldTargets(ring) * ring.task.windowMicros;
  const until =
    held === 0 || reached === undefined ? reached : Math.max(reached, Math.min(now, reached + held));
  return { until, sending, silent };
}

/** The newest window by more than a few clocks that are ahead: of a hundredth of the devices, of three in any fleet. */
function newestWindow(ring: WindowRing): Micros | undefined {
  const ahead = Math.max(1 + MIN_PANEL_DEVICES, Math.ceil((1 - REPORTING_SHARE) * ring.size));
  return reachedBy(ring, ring.devices(), Math.min(ahead, ring.size));
}

/** Start of the newest window that at least `count` of the devices have reached. */
function reachedBy(ring: WindowRing, deviceIds: readonly string[], count: number): Micros | undefined {
  const ascending = Float64Array.from(deviceIds, (id) => ring.latestSign(id) ?? -Infinity).sort();
  const reached = ascending[ascending.length - Math.max(1, count)] ?? -Infinity;
  return reached === -Infinity ? undefined : reached;
}

/** Whose windows a round waits for: before the first version all devices', so that it is made of the whole fleet. Later ones wait for no newcomer. */
export type WaitsFor = 'everyone' | 'trainable';

/**
 * How far a site's devices are on their way to a round of as many training windows.
 * @param pause called before each device, so that a large site can do other work in between
 */
export async function readinessOf(
  ring: WindowRing,
  { until, sending, silent }: Quorum,
  trainingWindows: number,
  pause: (device: number) => Promise<void> | undefined,
  waitsFor: WaitsFor = 'everyone',
): Promise<SiteReadiness> {
  const nobody = { devices: 0, silent: silent.length, tooSparse: 0, trainable: 0, rows: 0, windows: 0 };
  if (until === undefined) return { ...nobody, latestWindow: null };
  const needed = firstRoundWindows(ring.task);
  const targets = Math.min(trainingWindows, ring.capacity);
  // Looks back further than is needed: a device that skips windows may have skipped the very one that many windows ago.
  const spans: number[] = [];
  let tooSparse = 0;
  let trainable = 0;
  let rows = 0;
  for (const [device, deviceId] of sending.entries()) {
    await pause(device);
    const own = ring.targetsPresent(deviceId, until, targets);
    const isTrainable = own >= Math.min(MIN_TRAINING_ROWS, trainingWindows);
    rows += own;
    if (isTrainable) trainable += 1;
    if (isTooSparse(ring, deviceId, until)) tooSparse += 1;
    else if (isTrainable || waitsFor === 'everyone')
      spans.push(Math.min(needed, ring.windowsSince(deviceId, until, 2 * needed)));
  }
  return {
    ...nobody,
    devices: sending.length,
    tooSparse,
    trainable,
    rows,
    windows: spans.length === 0 ? 0 : Math.floor(median(spans)),
    latestWindow: until,
  };
}

/** Whether a device has been there for all lags and yet has too few of them for a forecast. */
function isTooSparse(ring: WindowRing, deviceId: string, until: Micros): boolean {
  const { lags } = ring.task;
  if (ring.windowsSince(deviceId, until, 2 * lags) < lags) return false;
  return ring.windowsKnown(deviceId, until, lags) < minLags(ring.task);
}
