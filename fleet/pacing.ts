import { type StreamSettings } from '../core/contracts/settings';
import { MAX_ROUND_WINDOWS } from '../core/contracts/rounds';
import { type Micros } from '../core/contracts/time';
import { type WindowRequest } from '../core/contracts/updates';
import { MAX_EVENTS_AHEAD, MAX_WINDOWS_AHEAD } from './constants';
import { type LiveGrid } from './events';

/**
 * Event time that every partition must pass so that the windows that a round requests are closed: their end and the watermark.
 * A request made before the stream has begun counts from the first live window.
 */
export function requestedTime(request: WindowRequest, grid: LiveGrid, stream: StreamSettings): Micros {
  const from = request.from_window ?? grid.liveStart;
  return from + request.windows * grid.windowMicros + stream.watermarkMicros;
}

/**
 * Whether a request counts from a window that a round can mean: none that is further ahead of what was sent than a round is long. A far one,
 * or many that each ask for more than the one before, would have the fleet send without end.
 * @param sent event time up to which the fleet has sent
 */
export function isWithinReach(request: WindowRequest, sent: Micros, grid: LiveGrid): boolean {
  return (request.from_window ?? grid.liveStart) <= sent + MAX_ROUND_WINDOWS * grid.windowMicros;
}

/** Where to pause: so far behind the requested time that every device has sent a reading at or after it. */
export function pauseAfter(requested: Micros, grid: LiveGrid): Micros {
  return requested + 1.5 * (grid.windowMicros / grid.readings);
}

/**
 * A fleet that keeps to the clock: from its start, simulated time runs `speed` times as fast.
 * @param nowMillis by the same clock as the start, one that nobody sets
 */
export function simulatedNow(
  start: { readonly clockMillis: number; readonly position: Micros },
  nowMillis: number,
  speed: number,
): Micros {
  return start.position + Math.floor((nowMillis - start.clockMillis) * 1_000 * speed);
}

/** How many events a fleet at full speed may have sent that the stream workers have not committed. */
export function mayBeAhead(devices: number, grid: LiveGrid): number {
  return Math.max(MAX_EVENTS_AHEAD, MAX_WINDOWS_AHEAD * devices * grid.readings);
}
