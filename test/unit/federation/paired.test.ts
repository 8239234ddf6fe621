import { decidePromotion } from '../../../core/federation/promotion/gate';
import { accuracyInterval, pairedChange } from '../../../core/federation/promotion/cluster-interval';
import { pairedClusters as clusters } from './clusters';

const gate = { margin: 0.002, minWindows: 3, confidence: 0.95 };

const rows = [70, 80, 90].map((correct, at) => ({ cluster: `s${at}`, windowStart: at, n: 100, correct }));
const correctOf = ({ correct }: (typeof rows)[number]): number => correct;

describe('paired change', () => {
  it('is the difference of accuracy on the same device-windows', () => {
    const { mean, low, high } = pairedChange(
      clusters(4, () => 2),
      0.95,
    );
    for (const bound of [mean, low, high]) expect(bound).toBeCloseTo(0.02, 10);
  });

  it('has the t interval of cluster means when clusters are of one size', () => {
    // Two windows with gains 0.01 and 0.03: mean 0.02, SE = 0.01, t(1 df, 97.5 %) = 12.706.
    const interval = pairedChange(
      clusters(2, (_, window) => (window === 0 ? 1 : 3)),
      0.95,
    );
    expect(interval.high - interval.mean).toBeCloseTo(12.706 * 0.01, 4);
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
    // SE by cluster: sd of 0 … 9 points over √10; by window: sd of 0 … 5 points over √6.
    expect(bySlot.high - bySlot.mean).toBeCloseTo(2.2622 * (0.030277 / Math.sqrt(10)), 4);
    expect(byWindow.high - byWindow.mean).toBeCloseTo(2.5706 * (0.018708 / Math.sqrt(6)), 4);
  });

  it('says that nothing is known where nothing is', () => {
    expect(pairedChange([], 0.95)).toEqual({ mean: 0, low: -1, high: 1 });
    expect(pairedChange(clusters(1, () => 1).slice(0, 1), 0.95)).toEqual({ mean: 0.01, low: -1, high: 1 });
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
    expect(mean - low).toBeCloseTo(4.3027 * (0.1 / Math.sqrt(3)), 3);
  });
});

describe('the gate', () => {
  it('promotes what is better or as good', () => {
    expect(
      decidePromotion(
        clusters(6, () => 1),
        gate,
      ).decision,
    ).toBe('promoted');
    expect(
      decidePromotion(
        clusters(6, () => 0),
        gate,
      ).decision,
    ).toBe('promoted');
  });

  it('rejects what is worse beyond margin and chance, and says by how much', () => {
    const verdict = decidePromotion(
      clusters(6, (cluster) => -3 + (cluster % 2)),
      gate,
    );
    expect(verdict.decision).toBe('rejected');
    expect(verdict.reason).toMatch(/2\.50 points worse .* 6 live windows/);
  });

  it('forgives what chance explains', () => {
    expect(
      decidePromotion(
        clusters(6, (cluster, window) => (window % 2 === 0 ? 8 : -9) + cluster - 4.5),
        gate,
      ).decision,
    ).toBe('promoted');
  });

  it('rejects what was measured on too few windows', () => {
    expect(
      decidePromotion(
        clusters(2, () => 5),
        gate,
      ),
    ).toMatchObject({ decision: 'rejected', reason: 'only 2 of 3 live windows were measured' });
  });
});
