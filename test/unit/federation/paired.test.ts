import { accuracyInterval, pairedChange } from '../../../core/federation/promotion/cluster-interval';
import { pairedClusters as clusters } from './clusters';

const rows = [70, 80, 90].map((correct, at) => ({ cluster: `s${at}`, windowStart: at, n: 100, correct }));
const correctOf = ({ correct }: (typeof rows)[number]): number => correct;

describe('paired change', () => {
  it('is the difference of accuracy on the same device-windows, known to one forecast at best', () => {
    const { mean, low, high } = pairedChange(
      clusters(4, () => 2),
      0.95,
    );
    expect(mean).toBeCloseTo(0.02, 10);
    const forecasts = 10 * 4 * 100;
    expect(high - mean).toBeGreaterThan(1.96 / forecasts);
    expect(mean - low).toBeCloseTo(high - mean, 10);
  });

  it('takes the wider of the intervals by cluster and by window', () => {
    const bySlot = pairedChange(
      clusters(6, (cluster) => cluster - 4.5),
      0.95,
    );
    const byWindow = pairedChange(
      clusters(6, (_, window) => window - 2.5),
      0.95,
    );
    // SE by cluster: sd of 0 … 9 points over √10, 9 degrees of freedom.
    expect(bySlot.high - bySlot.mean).toBeCloseTo(2.2622 * (0.030277 / Math.sqrt(10)), 4);
    // By window it is at least that of six independent ones: sd of 0 … 5 points over √6, 5 degrees of freedom.
    expect(byWindow.high - byWindow.mean).toBeGreaterThan(2.5706 * (0.018708 / Math.sqrt(6)));
  });

  it('says that nothing is known where nothing is', () => {
    expect(pairedChange([], 0.95)).toEqual({ mean: 0, low: -1, high: 1 });
    const twoWindows = clusters(2, () => 1);
    expect(pairedChange(twoWindows, 0.95)).toEqual({ mean: 0.01, low: -1, high: 1 });
    expect(accuracyInterval(rows.slice(0, 1), correctOf, 0.95)).toEqual({
      mean: 0.7,
      low: 0,
      high: 1,
    });
  });

  it('gives one version’s accuracy with the same care', () => {
    const { mean, low, high } = accuracyInterval(rows, correctOf, 0.95);
    expect(mean).toBeCloseTo(0.8, 10);
    expect(high).toBe(1);
    // Wider than the t interval of three independent windows.
    expect(mean - low).toBeGreaterThan(4.3027 * (0.1 / Math.sqrt(3)));
  });
});
