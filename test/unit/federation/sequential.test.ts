import { sequenceMultiplier } from '../../../core/federation/promotion/confidence-sequence';
import { errorOfWindowMeans } from '../../../core/federation/promotion/window-error';
import quantile from '@stdlib/stats-base-dists-t-quantile';
import { seededRandom, type Random } from '../../../core/platform/random';

/** n values around 0 whose neighbours are alike by ρ. */
function weather(random: Random, n: number, rho: number): number[] {
  const values: number[] = [];
  let last = random.normal();
  for (let at = 0; at < n; at += 1) {
    values.push(last);
    last = rho * last + Math.sqrt(1 - rho * rho) * random.normal();
  }
  return values;
}

/** The e-process of the t-test for mean 0 as its paper writes it. */
function eValue(values: readonly number[]): number {
  const n = values.length;
  const sum = values.reduce((total, value) => total + value, 0);
  const squares = values.reduce((total, value) => total + value * value, 0);
  return Math.sqrt(1 / (n + 1)) * (squares / (squares - sum ** 2 / (n + 1))) ** (n / 2);
}

describe('the confidence sequence', () => {
  it('ends where the e-process says that the mean is not there', () => {
    const values = weather(seededRandom(5), 9, 0);
    const n = values.length;
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
    const half = sequenceMultiplier(n - 1, 0.1) * Math.sqrt(variance / n);
    for (const bound of [mean - half, mean + half])
      expect(eValue(values.map((value) => value - bound))).toBeCloseTo(1 / (2 * 0.1), 8);
  });

  it('misses the mean at any of a hundred looks no more often than it may', () => {
    const random = seededRandom(11);
    const risk = 0.1;
    const fleets = 1_000;
    let missed = 0;
    for (let fleet = 0; fleet < fleets; fleet += 1) {
      let sum = 0;
      let squares = 0;
      for (let n = 1; n <= 100; n += 1) {
        const value = random.normal();
        sum += value;
        squares += value * value;
        if (n < 3) continue;
        const error = Math.sqrt((squares - sum ** 2 / n) / (n - 1) / n);
        if (sum / n - sequenceMultiplier(n - 1, risk) * error <= 0) continue;
        missed += 1;
        break;
      }
    }
    expect(missed / fleets).toBeLessThanOrEqual(risk);
    expect(missed).toBeGreaterThan(0);
  });

  it('reaches to everywhere while there are too few observations', () => {
    expect(sequenceMultiplier(0.5, 0.05)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('the error of a mean over windows', () => {
  it.each([0, 0.3, 0.5])('covers with 95 %% intervals where neighbours are alike by %f', (rho) => {
    const random = seededRandom(3);
    for (const n of [6, 12, 24]) {
      let covered = 0;
      for (let fleet = 0; fleet < 2_000; fleet += 1) {
        const values = weather(random, n, rho);
        const error = errorOfWindowMeans(values);
        if (error === null) throw new Error('no error');
        const half = quantile(0.975, error.degreesOfFreedom) * error.standardError;
        if (Math.abs(values.reduce((sum, value) => sum + value, 0) / n) <= half) covered += 1;
      }
      expect(covered / 2_000).toBeGreaterThan(0.92);
    }
  });

  it('says nothing of fewer than three windows', () => {
    expect(errorOfWindowMeans([0.1, 0.2])).toBeNull();
  });

  it('is none where nothing varies', () => {
    expect(errorOfWindowMeans([0.1, 0.1, 0.1, 0.1])?.standardError).toBeCloseTo(0, 12);
  });
});
