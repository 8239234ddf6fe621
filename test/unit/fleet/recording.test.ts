import fc from 'fast-check';
import { commonStep, fillShortGaps, stepsOf } from '../../../fleet/recording';
import { weather } from './synthetic';

const filled = (...values: number[]): number[] => {
  const series = Float32Array.from(values);
  fillShortGaps(series, 2);
  return [...series];
};
const gap = Number.NaN;

describe('gaps of a recording', () => {
  it('fills one or two missing steps on a straight line', () => {
    expect(filled(1, gap, 3)).toEqual([1, 2, 3]);
    expect(filled(0, gap, gap, 6)).toEqual([0, 2, 4, 6]);
  });

  it('leaves longer gaps missing', () => {
    expect(filled(1, gap, gap, gap, 5)).toEqual([1, gap, gap, gap, 5]);
  });

  it('leaves both ends missing: nobody knows what was there', () => {
    expect(filled(gap, 2, gap)).toEqual([gap, 2, gap]);
  });

  it('never changes a value that was recorded', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: -50, max: 50 }), { nil: gap })), (values) => {
        const after = filled(...values);
        values.forEach((value, step) => {
          if (!Number.isNaN(value)) expect(after[step]).toBe(value);
        });
      }),
    );
  });
});

it('a recording spans to the end of its last series', () => {
  expect(stepsOf(weather(2, 1))).toBe(8_760);
});

describe('the step of a recording', () => {
  it('is the median spacing', () => {
    expect(commonStep([5_000_000, 5_000_000, 60_000_000])).toBe(5_000_000);
    expect(commonStep([90_000_000])).toBe(90_000_000);
    expect(commonStep([250_000])).toBe(250_000);
  });

  it('is the round number that a jittering clock was set to', () => {
    expect(commonStep([60_059_281])).toBe(60_000_000);
    expect(commonStep([3_590_000_000])).toBe(3_600_000_000);
    expect(commonStep([5_004_000])).toBe(5_000_000);
  });

  it('is never rounded by more than half a per cent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90_000_000_000 }), (spacing) => {
        expect(Math.abs(commonStep([spacing]) - spacing)).toBeLessThanOrEqual(0.005 * spacing);
      }),
    );
  });
});
