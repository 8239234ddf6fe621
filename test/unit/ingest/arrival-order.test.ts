import * as fc from 'fast-check';
import { ArrivalOrder } from '../../../core/ingest/arrival-order';

interface Item {
  readonly partition: number;
  readonly time: number;
}

function taken(queues: readonly (readonly number[])[], most = 1_000): Item[] {
  const order = new ArrivalOrder<Item>(({ time }) => time);
  for (const [partition, times] of queues.entries())
    order.add(
      partition,
      times.map((time) => ({ partition, time })),
    );
  const all: Item[] = [];
  for (let run = order.take(most); run !== undefined; run = order.take(most)) all.push(...run.items);
  return all;
}

describe('records of several partitions', () => {
  it('come in the order in which they arrived', () => {
    const times = taken([
      [1, 4, 7, 10],
      [2, 3, 8, 9],
    ]).map(({ time }) => time);
    expect(Math.max(...times.map((time, at) => Math.abs(time - (at + 1))))).toBeLessThanOrEqual(3);
  });

  it('are not held up by one clock that is far ahead', () => {
    const slow = [100, 200, 9_999_999, 300, 400, 500];
    const fast = [150, 250, 350, 450];
    const order = taken([slow, fast]);
    const broken = order.findIndex(({ time }) => time === 9_999_999);
    expect(order.length - broken).toBeGreaterThan(4);
  });

  it('are all taken, once, each partition in its own order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.nat(1_000)), { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        (queues, most) => {
          const all = taken(queues, most);
          for (const [partition, times] of queues.entries())
            expect(all.filter((item) => item.partition === partition).map(({ time }) => time)).toEqual(times);
          expect(all).toHaveLength(queues.flat().length);
        },
      ),
    );
  });

  it('are never further apart in time than neighbours of one partition, where stamps rise', () => {
    const rising = fc.array(fc.nat(50), { minLength: 1, maxLength: 60 }).map((steps) => {
      let now = 0;
      return steps.map((step) => (now += step));
    });
    fc.assert(
      fc.property(fc.array(rising, { minLength: 2, maxLength: 4 }), (queues) => {
        let latest = 0;
        for (const { time } of taken(queues)) {
          expect(time).toBeGreaterThanOrEqual(latest - 5 * 50);
          latest = Math.max(latest, time);
        }
      }),
    );
  });
});
