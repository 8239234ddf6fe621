import fc from 'fast-check';
import { addUp, figuresOf } from '../../../core/warehouse/database/sums';
import { calibrationOf, tendencyOf } from '../../../core/warehouse/queries/feedback-figures';

const counts = (
  true_positive: number,
  false_positive: number,
  false_negative: number,
  true_negative: number,
) => ({ true_positive, false_positive, false_negative, true_negative });

describe('the tendency of anomaly counts', () => {
  it('is unknown without any', () => {
    expect(tendencyOf(counts(0, 0, 0, 0))).toBe('unknown');
  });

  it('is balanced where chance explains the difference', () => {
    expect(tendencyOf(counts(10, 3, 1, 90))).toBe('balanced');
    expect(tendencyOf(counts(10, 0, 0, 90))).toBe('balanced');
  });

  it('names the mistake that is more frequent beyond chance', () => {
    expect(tendencyOf(counts(10, 30, 5, 900))).toBe('overpredicts anomalies, underpredicts normal');
    expect(tendencyOf(counts(10, 5, 30, 900))).toBe('underpredicts anomalies, overpredicts normal');
  });
});

describe('figures from sums', () => {
  it('skill is the share of persistence’s error that is gone', () => {
    const sums = { ...addUp([]), evaluations: 2, sum_absolute_error: 1 };
    expect(figuresOf({ ...sums, sum_persistence_absolute_error: 4 }).skill).toBe(0.75);
    expect(figuresOf({ ...sums, sum_persistence_absolute_error: 0 }).skill).toBeNull();
  });

  it('calibration is the mean distance of stated from real accuracy, by bin', () => {
    expect(
      calibrationOf([
        { evaluations: 10, correct: 2, sum_confidence: 2.5 },
        { evaluations: 10, correct: 10, sum_confidence: 9.5 },
      ]),
    ).toBeCloseTo(1 / 20, 12);
    expect(calibrationOf([])).toBe(0);
  });

  it('calibration stays within 0 and 1', () => {
    const bin = fc
      .record({
        n: fc.integer({ min: 1, max: 50 }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
        stated: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      .map(({ n, share, stated }) => ({
        evaluations: n,
        correct: Math.round(n * share),
        sum_confidence: n * stated,
      }));
    fc.assert(
      fc.property(fc.array(bin), (bins) => {
        const error = calibrationOf(bins);
        expect(error).toBeGreaterThanOrEqual(0);
        expect(error).toBeLessThanOrEqual(1 + 1e-12);
      }),
    );
  });
});
