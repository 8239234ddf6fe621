import { FloodWatch } from '../../../core/stream/backpressure/flood';

/** What is reported, device counts being looked at every ten seconds. */
function told(...devices: number[]): (number | undefined)[] {
  const watch = new FloodWatch();
  return devices.map((count, i) => watch.look(count, i * 10_000));
}

describe('a flood of devices', () => {
  it('is told when it comes, with its size', () => {
    expect(told(100, 100, 25_100)).toEqual([undefined, undefined, 25_000]);
    expect(told(12_000)).toEqual([12_000]);
  });

  it('is told once, and again when it goes on', () => {
    expect(told(0, 15_000, 15_000, 15_500, 40_000)).toEqual([
      undefined,
      15_000,
      undefined,
      undefined,
      25_000,
    ]);
  });

  it('is told when it comes bit by bit within a minute', () => {
    expect(told(0, 3_000, 6_000, 9_000, 12_000)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      12_000,
    ]);
  });

  it('is not a fleet that grows slowly, nor one that shrinks', () => {
    const hour = Array.from({ length: 360 }, (_, i) => i * 100);
    expect(told(...hour).every((one) => one === undefined)).toBe(true);
    expect(told(20_000, 100, 0)).toEqual([20_000, undefined, undefined]);
  });
});
