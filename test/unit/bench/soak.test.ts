import { sumOf } from '../../../bench/soak/sample';
import { slopeOf } from '../../../bench/support/slope';

describe('what a soak measures', () => {
  it('finds the slope of a line', () => {
    const points = [0, 1, 2, 5].map((at) => ({ at, value: 7 - 3 * at }));
    expect(slopeOf(points)).toBeCloseTo(-3, 12);
  });

  it('finds the least-squares slope of points that lie on no line', () => {
    // Anscombe's first set (1973): slope 0.5001.
    const x = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5];
    const y = [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68];
    const points = x.map((at, index) => ({ at, value: y[index] ?? NaN }));
    expect(slopeOf(points)).toBeCloseTo(0.5001, 4);
  });

  it('does not make a slope of one moment', () => {
    expect(slopeOf([{ at: 3, value: 1 }])).toBeNaN();
  });

  it('adds a metric up over its labels, and no other whose name begins alike', () => {
    const metrics = ['# HELP lag x', 'lag{partition="0"} 3', 'lag{partition="1"} 4', 'lag_total 100'].join(
      '\n',
    );
    expect(sumOf(metrics, 'lag')).toBe(7);
    expect(sumOf(metrics, 'other')).toBeUndefined();
  });
});
