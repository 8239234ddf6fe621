import { FloodWatch } from '../../../core/stream/backpressure/flood';

/** What is reported of these device counts, ten seconds apart. */
function reported(...devices: number[]): (number | undefined)[] {
  const watch = new FloodWatch();
  return devices.map((count, i) => watch.look(count, i * 10_000));
}

describe('a flood of devices', () => {
  it('is reported when it comes, with its size', () => {
    expect(reported(100, 100, 25_100)).toEqual([undefined, undefined, 25_000]);
    expect(reported(12_000)).toEqual([12_000]);
  });

  it('is reported once, and again when it continues', () => {
    expect(reported(0, 15_000, 15_000, 15_500, 40_000)).toEqual([
      undefined,
      15_000,
      undefined,
      undefined,
      25_000,
    ]);
  });

  it('is reported when it comes bit by bit within a minute', () => {
    expect(reported(0, 3_000, 6_000, 9_000, 12_000)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      12_000,
    ]);
  });

  it('is not a fleet that grows slowly, nor one that shrinks', () => {
    const hour = Array.from({ length: 360 }, (_, i) => i * 100);
    expect(reported(...hour).every((one) => one === undefined)).toBe(true);
    expect(reported(20_000, 100, 0)).toEqual([20_000, undefined, undefined]);
  });
});
