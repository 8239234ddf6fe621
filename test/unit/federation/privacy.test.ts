import { adaptiveClipSchema, privacySettingsSchema } from '../../../core/contracts/privacy';
import { nextClipNorm } from '../../../core/federation/aggregation/adaptive-clip';
import {
  addGaussianNoise,
  costOf,
  epsilonAfter,
  epsilonSpent,
} from '../../../core/federation/aggregation/privacy';
import { seededRandom, unrepeatableNormals } from '../../../core/platform/random';

describe('what differential privacy has cost', () => {
  it('is nothing before the first round', () => {
    expect(epsilonSpent(0, 1e-5)).toBe(0);
  });

  it('agrees with the analytic Gaussian mechanism: σ = 1, δ = 1e-5 is ε = 4.3772', () => {
    expect(epsilonSpent(1, 1e-5)).toBeCloseTo(4.37718, 4);
  });

  it('composes: four rounds at z = 2 cost what one at z = 1 costs', () => {
    expect(epsilonSpent(4 / 2 ** 2, 1e-5)).toBeCloseTo(epsilonSpent(1, 1e-5), 10);
  });

  it('grows with every round, shrinks with more noise, and owns up to no protection at all', () => {
    expect(epsilonSpent(2, 1e-5)).toBeGreaterThan(epsilonSpent(1, 1e-5));
    expect(epsilonSpent(0.1, 1e-5)).toBeLessThan(1.3);
    expect(epsilonSpent(1e6, 1e-5)).toBe(Infinity);
  });
});

describe('what a round may still spend', () => {
  const settings = privacySettingsSchema.parse({ noiseMultiplier: 1, clipNorm: 0.5, budget: 5 });

  it('is refused with what is spent, what it would be and the budget, in one sentence', () => {
    expect(epsilonAfter(0, settings)).toBeCloseTo(4.37718, 4);
    expect(() => epsilonAfter(1, settings)).toThrow(
      'the privacy budget is ε = 5: 4.377 is spent, and this round would make it 6.573 (δ = 0.00001)',
    );
    expect(() => epsilonAfter(1e6, settings)).toThrow('more than 500 is spent');
    expect(epsilonAfter(1, { ...settings, budget: undefined })).toBeCloseTo(6.573, 3);
  });

  it('includes the noise on the count of an adaptive norm', () => {
    expect(costOf(settings)).toBe(1);
    expect(costOf({ ...settings, clipNorm: 'adaptive' })).toBeCloseTo(1 + 1 / 25, 12);
    const clipNorm = adaptiveClipSchema.parse({ countNoise: 2 });
    expect(costOf({ ...settings, clipNorm })).toBeCloseTo(1 + 1 / 4, 12);
  });
});

describe('the noise of a round', () => {
  const draw = (values: number): number[] => {
    const noise = { noiseMultiplier: 2, clipNorm: 0.5, normal: unrepeatableNormals() };
    return [...addGaussianNoise(new Float32Array(values), noise, 100)];
  };

  it('is never the same twice', () => {
    expect(draw(10)).not.toEqual(draw(10));
  });

  it('has the deviation z·C/n, and the tails of a Gaussian', () => {
    const n = 200_000;
    const values = draw(n).map((value) => value / 0.01);
    const meanOf = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / n;
    // Seven standard errors of each estimate: chance alone fails one run in 10¹¹.
    expect(Math.abs(meanOf(1))).toBeLessThan(7 / Math.sqrt(n));
    expect(Math.abs(meanOf(2) - 1)).toBeLessThan(7 * Math.sqrt(2 / n));
    expect(Math.abs(meanOf(4) - 3)).toBeLessThan(7 * Math.sqrt(96 / n));
  });

  it('does not repeat its neighbour', () => {
    const n = 200_000;
    const values = draw(n).map((value) => value / 0.01);
    const product = values.reduce((sum, value, at) => sum + value * (values[at + 1] ?? 0), 0) / n;
    expect(Math.abs(product)).toBeLessThan(7 / Math.sqrt(n));
  });
});

describe('a norm that adapts', () => {
  const norms = Array.from({ length: 1_000 }, (_, at) => Math.exp(-4 + (8 * at) / 1_000));
  const follow = (quantile: number, initial: number, normal: () => number): number => {
    const settings = adaptiveClipSchema.parse({ quantile, initial });
    return Array.from({ length: 200 }).reduce<number>(
      (norm) => nextClipNorm(norm, norms, settings, normal),
      initial,
    );
  };

  it.each([
    [0.1, 100],
    [0.5, 0.001],
    [0.5, 100],
    [0.9, 0.001],
  ])('goes to the quantile %d of the norms from %d, with noise on the count', (quantile, initial) => {
    const random = seededRandom(3, 'clip');
    const norm = follow(quantile, initial, () => random.normal());
    const share = norms.filter((own) => own <= norm).length / norms.length;
    expect(Math.abs(share - quantile)).toBeLessThan(0.02);
  });

  it('moves by e^(ηγ) a round while no update is within it, as published (Andrew et al. 2021)', () => {
    const settings = { quantile: 0.5, rate: 0.2, countNoise: 5 };
    expect(nextClipNorm(0.1, [1, 2, 3, 4], settings, () => 0)).toBeCloseTo(0.1 * Math.exp(0.1), 12);
    expect(nextClipNorm(10, [1, 2, 3, 4], settings, () => 0)).toBeCloseTo(10 * Math.exp(-0.1), 12);
    expect(nextClipNorm(2, [1, 2, 3, 4], settings, () => 0)).toBe(2);
    // One standard deviation of noise is 5 updates of 100.
    const hundred = Array.from({ length: 100 }, () => 1);
    expect(nextClipNorm(1, hundred, settings, () => -1)).toBeCloseTo(Math.exp(-0.2 * 0.45), 12);
  });
});
