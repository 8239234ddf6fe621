import { grubbsCritical, largestAbsZ, sampleStddev } from '../../../core/stream/windows/statistics';

describe("Grubbs' test", () => {
  it.each([
    // Two-sided critical values at 0.05 as published (Grubbs and Beck 1972; as GraphPad tabulates them).
    [3, 1.15],
    [4, 1.48],
    [5, 1.71],
    [6, 1.89],
    [7, 2.02],
    [8, 2.13],
    [9, 2.21],
    [10, 2.29],
    [12, 2.41],
    [15, 2.55],
    [20, 2.71],
    [30, 2.91],
    [40, 3.04],
    [50, 3.13],
    [100, 3.38],
  ])('has the published critical value for %d readings', (n, value) => {
    expect(Math.abs(grubbsCritical(n, 0.05) - value)).toBeLessThan(0.0051);
  });

  it("finds the outlier of NIST's example", () => {
    const readings = [199.31, 199.53, 200.19, 200.82, 201.92, 201.95, 202.18, 245.57];
    const mean = readings.reduce((sum, x) => sum + x, 0) / readings.length;
    const stddev = sampleStddev(
      readings.reduce((sum, x) => sum + (x - mean) ** 2, 0),
      readings.length,
    );
    const g = largestAbsZ(mean, stddev, Math.min(...readings), Math.max(...readings));
    expect(g).toBeCloseTo(2.4687, 3);
    expect(g).toBeGreaterThan(grubbsCritical(readings.length));
  });

  it('rises with the number of readings and never passes (n − 1)/√n', () => {
    let before = 0;
    for (const n of [7, 8, 12, 50, 150, 1_000, 100_000, 4_000_000]) {
      const value = grubbsCritical(n);
      expect(value).toBeGreaterThan(before);
      expect(value).toBeLessThan((n - 1) / Math.sqrt(n));
      before = value;
    }
  });
});

describe('the sample standard deviation', () => {
  it('is 0 for one reading', () => {
    expect(sampleStddev(0, 1)).toBe(0);
    expect(sampleStddev(2, 3)).toBe(1);
  });
});
