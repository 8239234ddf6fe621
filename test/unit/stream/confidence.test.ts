import { seededRandom } from '../../../core/platform/random';
import { deviceFactor, type Outcome, VersionErrors } from '../../../core/stream/forecasts/confidence';
import { Recalibration } from '../../../core/stream/forecasts/recalibration';

const TOLERANCE = 1;
const random = seededRandom(7, 'confidence');

/** A window of errors with the given spread, for forecasts that are all alike. */
function window(
  spread: number,
  errors: VersionErrors,
  count = 2_000,
): { outcomes: Outcome[]; stated: number } {
  const raw = errors.rawProbability(1, NaN);
  return {
    outcomes: Array.from({ length: count }, () => ({
      error: random.normal() * spread,
      change: 0,
      device: 1,
      factor: 1,
      raw,
    })),
    stated: errors.stated(raw),
  };
}

const normalWithin: Record<number, number> = { 0.5: 0.954, 1: 0.683, 2: 0.383 };

describe('the confidence of a version', () => {
  it('begins with the probability that its held-out residuals give', () => {
    for (const [stddev, probability] of Object.entries(normalWithin)) {
      const errors = new VersionErrors(Number(stddev), TOLERANCE);
      expect(errors.stated(errors.rawProbability(1, NaN))).toBeCloseTo(probability, 2);
    }
  });

  it('is unknown while nothing is', () => {
    expect(new VersionErrors(null, TOLERANCE).rawProbability(1, NaN)).toBeNaN();
    expect(new VersionErrors(null, TOLERANCE).stddev()).toBeNaN();
  });

  it('is right within three windows, however wrong the residuals were', () => {
    for (const claimed of [null, 0.1, 0.5, 3]) {
      for (const [spread, probability] of Object.entries(normalWithin)) {
        const errors = new VersionErrors(claimed, TOLERANCE);
        for (let i = 0; i < 3; i += 1) errors.learn(window(Number(spread), errors).outcomes);
        const { stated } = window(Number(spread), errors);
        expect(Math.abs(stated - probability)).toBeLessThan(0.05);
      }
    }
  });

  it('follows a change of the errors', () => {
    const errors = new VersionErrors(0.5, TOLERANCE);
    for (let i = 0; i < 5; i += 1) errors.learn(window(0.5, errors).outcomes);
    for (let i = 0; i < 25; i += 1) errors.learn(window(2, errors).outcomes);
    expect(Math.abs(window(2, errors).stated - 0.383)).toBeLessThan(0.06);
  });

  it('is higher for a device that has been easy than for one that has been hard', () => {
    const errors = new VersionErrors(1, TOLERANCE);
    expect(errors.rawProbability(0.3, NaN)).toBeGreaterThan(errors.rawProbability(1, NaN));
    expect(errors.rawProbability(3, NaN)).toBeLessThan(errors.rawProbability(1, NaN));
  });

  it('is the same after it was saved and restored', () => {
    const errors = new VersionErrors(0.7, TOLERANCE);
    for (let i = 0; i < 4; i += 1) errors.learn(window(1.2, errors).outcomes);
    const restored = new VersionErrors(0.7, TOLERANCE);
    restored.restore(JSON.parse(JSON.stringify(errors.save())) as ReturnType<VersionErrors['save']>);
    for (const factor of [0.1, 0.5, 1, 2]) {
      expect(restored.stated(restored.rawProbability(factor, 1))).toBe(
        errors.stated(errors.rawProbability(factor, 1)),
      );
    }
    expect(restored.stddev()).toBe(errors.stddev());
  });
});

describe('the factor of a device', () => {
  it('begins with its steps and follows its errors, within bounds', () => {
    expect(deviceFactor({ sum: 0, weight: 0 }, NaN)).toBe(1);
    expect(deviceFactor({ sum: 0, weight: 0 }, 2)).toBe(2);
    expect(deviceFactor({ sum: 40, weight: 20 }, 1)).toBeCloseTo(1.87, 2);
    expect(deviceFactor({ sum: 0, weight: 1e9 }, 0)).toBe(0.05);
    expect(deviceFactor({ sum: 1e9, weight: 1 }, 1)).toBe(20);
  });
});

describe('recalibration', () => {
  it('states the raw probability until it has outcomes', () => {
    const fresh = new Recalibration();
    for (const raw of [0.1, 0.5, 0.93]) expect(fresh.stated(raw)).toBeCloseTo(raw, 10);
  });

  it('removes bias and exaggeration', () => {
    const recalibration = new Recalibration();
    const truth = (raw: number): number => 0.3 + 0.4 * raw;
    for (let i = 0; i < 5; i += 1) {
      recalibration.learn(
        Array.from({ length: 2_000 }, () => {
          const raw = 0.02 + 0.96 * random.uniform();
          return { raw, correct: random.uniform() < truth(raw) };
        }),
      );
    }
    for (const raw of [0.1, 0.3, 0.5, 0.7, 0.9])
      expect(Math.abs(recalibration.stated(raw) - truth(raw))).toBeLessThan(0.05);
  });

  it('stays within 0 and 1 on statements of certainty', () => {
    const recalibration = new Recalibration();
    recalibration.learn(Array.from({ length: 100 }, (_, i) => ({ raw: i % 2, correct: true })));
    for (const raw of [0, 1]) {
      expect(recalibration.stated(raw)).toBeGreaterThan(0);
      expect(recalibration.stated(raw)).toBeLessThan(1);
    }
  });
});
