import { equivalentStddev } from '../../../core/federation/equivalent-stddev';

describe('what a version’s confidence begins with', () => {
  it('is the spread of normal errors that are as often within the tolerance', () => {
    // Of normal errors, 68.27 % lie within one standard deviation and 95.45 % within two.
    expect(equivalentStddev({ rows: 1e6, correct: 682_689 })).toBeCloseTo(1, 4);
    expect(equivalentStddev({ rows: 1e6, correct: 954_500 })).toBeCloseTo(0.5, 4);
  });

  it('is finite and above zero, also where all were right, or none', () => {
    const [best = NaN, worst = NaN] = [10, 0].map(
      (correct) => equivalentStddev({ rows: 10, correct }) ?? NaN,
    );
    expect(best).toBeGreaterThan(0.4);
    expect(worst).toBeLessThan(30);
    expect(worst).toBeGreaterThan(best);
  });

  it('is not known without held-out errors', () => {
    expect(equivalentStddev({ rows: 0, correct: 0 })).toBeNull();
  });
});
