import { combineRoots, rootOf } from '../../../core/federation/aggregation/root-update';

describe('a site’s root update', () => {
  it('is the median of what its devices have learned, as long as the median one, by hand', () => {
    const deltas = Float32Array.of(3, 4, 4, 3, 0, 10);
    // Medians 3 and 4, of length 5; lengths 5, 5 and 10.
    expect([...rootOf(deltas, 2)!]).toEqual([3, 4]);
    // Medians 0 and 2; lengths 6, 2, 2 and 6.
    const spread = Float32Array.of(6, 0, 0, 2, 0, 2, -6, 0);
    expect([...rootOf(spread, 2)!]).toEqual([0, 4]);
  });

  it('does not go the way of the few broken devices among them', () => {
    expect([...rootOf(Float32Array.of(1, 1, 1, 1, -900, 900), 2)!]).toEqual([1, 1]);
  });

  it('is none of no device, and zero where most have learned nothing', () => {
    expect(rootOf(new Float32Array(0), 2)).toBeNull();
    expect([...rootOf(Float32Array.of(0, 0, 0, 0, 1, 1), 2)!]).toEqual([0, 0]);
  });
});

describe('root updates of several sites', () => {
  it('count alike, and none further than 1.5 × the median one', () => {
    const sent = [Float32Array.of(1, 0), Float32Array.of(0, 1), Float32Array.of(-100, 0)];
    const { update, refused } = combineRoots(sent, 2);
    expect(refused).toBe(0);
    expect(update?.[0]).toBeCloseTo((1 - 1.5) / 3, 6);
    expect(update?.[1]).toBeCloseTo(1 / 3, 6);
  });

  it('do not count where nobody can have trained them', () => {
    const sent = [Float32Array.of(1, 2, 3), Float32Array.of(NaN, 1), Float32Array.of(4, 2)];
    expect(combineRoots(sent, 2)).toEqual({ update: Float32Array.of(4, 2), refused: 2 });
    expect(combineRoots([], 2)).toEqual({ update: null, refused: 0 });
  });
});
