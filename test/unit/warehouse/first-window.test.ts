import fc from 'fast-check';
import { firstWindowOf } from '../../../core/warehouse/sink/first-window';

const PATIENCE = 100;
const first = (...starts: readonly (number | null)[]): ReturnType<typeof firstWindowOf> =>
  firstWindowOf(
    starts.map((fromWindow, partition) => ({ partition, fromWindow })),
    PATIENCE,
  );

describe('the first window of an evaluation', () => {
  it('is the latest first window of the partitions, so that all of them evaluate it', () => {
    expect(first(10, 90, 40)).toEqual({ fromWindow: 90, ahead: [] });
  });

  it('is not known while no partition has read anything; one that has not is no matter', () => {
    expect(first(null, null)).toEqual({ fromWindow: null, ahead: [] });
    expect(first(null, 30)).toEqual({ fromWindow: 30, ahead: [] });
  });

  it('does not wait for a partition whose clocks are ahead of the most', () => {
    expect(first(10, 20, 30, 5_000)).toEqual({ fromWindow: 30, ahead: [3] });
    expect(first(5_000, 20)).toEqual({ fromWindow: 20, ahead: [0] });
  });

  it('waits for the partitions that read a backlog, where they are not the most', () => {
    expect(first(10, 5_000, 5_010, 20)).toEqual({ fromWindow: 5_010, ahead: [] });
  });

  it('is one by which every partition has begun that is not ahead, and fewer than half are ahead', () => {
    const starts = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 3, maxLength: 12 });
    fc.assert(
      fc.property(starts, (some) => {
        const { fromWindow, ahead } = first(...some);
        const begun = some.filter((start) => start <= (fromWindow ?? 0)).length;
        expect(begun + ahead.length).toBe(some.length);
        expect(ahead.length).toBeLessThan(some.length / 2);
      }),
    );
  });
});
