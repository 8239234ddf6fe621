import fc from 'fast-check';
import { FedloopError } from '../../../core/contracts/errors';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const W = 30_000_000;
const ring = (windows = 5): WindowRing => new WindowRing(DEFAULT_TASK, windows);

describe('what a site remembers of its devices', () => {
  it('gives back a series, oldest first, with missing windows as NaN', () => {
    const site = ring();
    site.put('a', 10 * W, 1.5, [40, 1000]);
    site.put('a', 12 * W, 2.5, [null, null]);
    const series = site.seriesUntil('a', 12 * W, 4);
    expect([...series.target]).toEqual([NaN, 1.5, NaN, 2.5]);
    expect([...series.covariates[0]!]).toEqual([NaN, 40, NaN, NaN]);
    expect([...series.covariates[1]!]).toEqual([NaN, 1000, NaN, NaN]);
  });

  it('keeps every digit of a mean', () => {
    const site = ring();
    site.put('meter', 10 * W, 123_456_789.5, [40.1, 1e-9]);
    site.put('meter', 11 * W, 123_456_789.75, [0.1, null]);
    const { target, covariates } = site.seriesUntil('meter', 11 * W, 2);
    expect(target[1]! - target[0]!).toBe(0.25);
    expect([...covariates[0]!]).toEqual([40.1, 0.1]);
  });

  it('keeps the first write of a window', () => {
    const site = ring();
    expect(site.put('a', 3 * W, 1, [null, null])).toBe(true);
    expect(site.put('a', 3 * W, 9, [null, null])).toBe(false);
    expect(site.seriesUntil('a', 3 * W, 1).target[0]).toBe(1);
  });

  it('lets a live window take the place of one from a history, whichever came first', () => {
    const both = ring();
    both.put('a', W, 1, [], 'history');
    both.put('a', W, 2, []);
    both.put('a', W, 3, [], 'history');
    both.put('a', W, 4, []);
    both.put('a', 2 * W, 5, []);
    both.put('a', 2 * W, 6, [], 'history');
    expect([...both.seriesUntil('a', 2 * W, 2).target]).toEqual([2, 5]);
  });

  it('takes no history of a time that the stream has not reached, and none keeps live windows out', () => {
    const forged = ring();
    forged.put('early', 900 * W, 1, [], 'history');
    forged.put('ghost', 900 * W, 1, [], 'history');
    for (const window of [10, 11]) {
      forged.noteClosed(window * W);
      forged.put('early', window * W, window, []);
      forged.put('late', window * W, window, []);
    }
    expect(forged.put('late', 900 * W, 1, [], 'history')).toBe(false);
    for (const device of ['early', 'late'])
      expect([...forged.seriesUntil(device, 11 * W, 3).target]).toEqual([NaN, 10, 11]);
    expect(['early', 'late', 'ghost'].map((device) => forged.latestSign(device))).toEqual([
      11 * W,
      11 * W,
      undefined,
    ]);
  });

  it('keeps the first of two histories', () => {
    const two = ring();
    two.put('a', W, 1, [], 'history');
    two.put('a', W, 2, [], 'history');
    expect([...two.seriesUntil('a', W, 1).target]).toEqual([1]);
  });

  it('takes windows in any order as long as they are recent enough', () => {
    const site = ring(3);
    site.put('a', 7 * W, 7, [null, null]);
    expect(site.put('a', 5 * W, 5, [null, null])).toBe(true);
    expect(site.put('a', 4 * W, 4, [null, null])).toBe(false);
    expect([...site.seriesUntil('a', 7 * W, 3).target]).toEqual([5, NaN, 7]);
  });

  it('forgets what a jump ahead passes over', () => {
    const site = ring(3);
    for (const window of [1, 2, 3]) site.put('a', window * W, window, [null, null]);
    site.put('a', 5 * W, 5, [null, null]);
    expect([...site.seriesUntil('a', 5 * W, 5).target]).toEqual([NaN, NaN, 3, NaN, 5]);
  });

  it('shows a series as of an earlier window, and nothing of an unknown device', () => {
    const site = ring();
    for (const window of [1, 2, 3]) site.put('a', window * W, window, [null, null]);
    expect([...site.seriesUntil('a', 2 * W, 3).target]).toEqual([NaN, 1, 2]);
    expect([...site.seriesUntil('nobody', 2 * W, 2).target]).toEqual([NaN, NaN]);
  });

  it('remembers that a value was not a number, as long as it is in reach', () => {
    const site = ring();
    site.put('a', 4 * W, Infinity, [null, null]);
    expect(site.hadBrokenValue('a', 6 * W, 3)).toBe(true);
    expect(site.hadBrokenValue('a', 9 * W, 3)).toBe(false);
    expect(Number.isNaN(site.seriesUntil('a', 4 * W, 1).target[0])).toBe(true);
  });

  it('refuses a window off the grid', () => {
    expect(() => ring().put('a', 17, 1, [null, null])).toThrow(FedloopError);
  });

  it('agrees with a map of everything ever written, before 1970 too', () => {
    const write = fc.record({
      device: fc.integer({ min: 0, max: 400 }),
      window: fc.integer({ min: -8, max: 8 }),
      avg: fc.integer({ min: -50, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 200 }), (writes) => {
        const site = ring(6);
        const newest = new Map<number, number>();
        const kept = new Map<string, number>();
        for (const { device, window, avg } of writes) {
          site.put(`d${device}`, window * W, avg, [null, null]);
          const tooOld = window <= (newest.get(device) ?? -Infinity) - 6;
          const key = `${device}/${window}`;
          if (!tooOld && !kept.has(key)) kept.set(key, avg);
          newest.set(device, Math.max(newest.get(device) ?? -Infinity, window));
        }
        for (const [device, last] of newest) {
          const expected = [5, 4, 3, 2, 1, 0].map((back) => kept.get(`${device}/${last - back}`) ?? NaN);
          expect([...site.seriesUntil(`d${device}`, last * W, 6).target]).toEqual(expected);
        }
      }),
    );
  });
});
