import { epsilonSpent } from '../../../core/federation/aggregation/privacy';

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
