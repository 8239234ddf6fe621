import fc from 'fast-check';
import { SINK_LAG_PAUSE_BLOCKS, SINK_LAG_RESUME_BLOCKS } from '../../../core/stream/limits';
import { furthestBehind, partitionsToPause } from '../../../core/stream/backpressure/sink-lag';

const end = (partition: number, high: number) => ({ partition, low: 0, high });

describe('how far warehouses are behind', () => {
  it('is known by partition, of the one that is furthest behind with either topic', () => {
    const ends = [end(0, 100), end(1, 200)];
    const lag = furthestBehind([
      {
        ends,
        stored: [
          { partition: 0, offset: 90 },
          { partition: 1, offset: 200 },
        ],
      },
      {
        ends,
        stored: [
          { partition: 0, offset: 40 },
          { partition: 1, offset: 199 },
        ],
      },
    ]);
    expect(lag).toEqual(
      new Map([
        [0, 60],
        [1, 1],
      ]),
    );
  });

  it('is not known of a partition of which a warehouse has stored nothing yet', () => {
    expect(furthestBehind([{ ends: [end(0, 1_000_000)], stored: [] }])).toEqual(new Map());
  });

  it('is not negative when rows were stored after the end of the log was asked for', () => {
    expect(furthestBehind([{ ends: [end(0, 5)], stored: [{ partition: 0, offset: 9 }] }])).toEqual(
      new Map([[0, 0]]),
    );
  });
});

describe('a partition', () => {
  const only = new Set([0]);
  const none = new Set<number>();

  it('is paused above the upper bound, and resumed at the lower one', () => {
    expect(partitionsToPause(new Map([[0, SINK_LAG_PAUSE_BLOCKS]]), none)).toEqual(none);
    expect(partitionsToPause(new Map([[0, SINK_LAG_PAUSE_BLOCKS + 1]]), none)).toEqual(only);
    expect(partitionsToPause(new Map([[0, SINK_LAG_RESUME_BLOCKS + 1]]), only)).toEqual(only);
    expect(partitionsToPause(new Map([[0, SINK_LAG_RESUME_BLOCKS]]), only)).toEqual(none);
  });

  it('is resumed when the warehouse that it waited for is gone', () => {
    expect(partitionsToPause(new Map(), only)).toEqual(none);
  });

  it('stays as it is between the bounds, whatever the others do', () => {
    const between = fc.integer({ min: SINK_LAG_RESUME_BLOCKS + 1, max: SINK_LAG_PAUSE_BLOCKS });
    const others = fc.dictionary(fc.integer({ min: 1, max: 9 }).map(String), fc.nat());
    fc.assert(
      fc.property(between, others, fc.boolean(), (blocks, lagOfOthers, isPaused) => {
        const lag = new Map([
          [0, blocks],
          ...Object.entries(lagOfOthers).map(([key, value]) => [Number(key), value] as const),
        ]);
        expect(partitionsToPause(lag, isPaused ? only : none).has(0)).toBe(isPaused);
      }),
    );
  });
});
