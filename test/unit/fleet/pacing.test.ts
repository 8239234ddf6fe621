import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { isWithinReach, mayBeAhead, pauseAfter, requestedTime, simulatedNow } from '../../../fleet/pacing';
import { GRID } from './synthetic';

const request = { type: 'window-request', id: 'round-1', windows: 3, from_window: null } as const;
const W = GRID.windowMicros;

describe('how far a request reaches', () => {
  it('needs the end of its windows and the watermark, from the first live window at the start', () => {
    expect(requestedTime(request, GRID, DEFAULT_STREAM_SETTINGS)).toBe(GRID.liveStart + 5 * W);
  });

  it('or from the window it names', () => {
    const from = { ...request, from_window: GRID.liveStart + 10 * W };
    expect(requestedTime(from, GRID, DEFAULT_STREAM_SETTINGS)).toBe(GRID.liveStart + 15 * W);
  });

  it('counts from no window that is further ahead of what was sent than a round is long', () => {
    const from = (windows: number) => ({ ...request, from_window: GRID.liveStart + windows * W });
    expect(isWithinReach(request, GRID.liveStart, GRID)).toBe(true);
    expect(isWithinReach(from(1_000), GRID.liveStart, GRID)).toBe(true);
    expect(isWithinReach(from(1_001), GRID.liveStart, GRID)).toBe(false);
    expect(isWithinReach(from(1_001), GRID.liveStart + W, GRID)).toBe(true);
  });

  it('pauses a few seconds later, in the middle of a window, when every device has sent again', () => {
    const requested = requestedTime(request, GRID, DEFAULT_STREAM_SETTINGS);
    expect(pauseAfter(requested, GRID) - requested).toBe(3_750_000);
  });
});

it('simulated time runs `speed` times as fast as the wall clock', () => {
  const start = { clockMillis: 1_000, position: GRID.liveStart };
  expect(simulatedNow(start, 3_000, 1) - GRID.liveStart).toBe(2_000_000);
  expect(simulatedNow(start, 3_000, 60) - GRID.liveStart).toBe(120_000_000);
});

it('a fleet may be a million events ahead of the stream workers, or thirty windows when they are more', () => {
  expect(mayBeAhead(60, GRID)).toBe(1_000_000);
  expect(mayBeAhead(2_407, { ...GRID, readings: 150 })).toBe(30 * 2_407 * 150);
});
