import { type HistoryChunk } from '../../../core/contracts/blocks';
import { Snapshots } from '../../../core/stream/ownership/history-snapshots';
import { WINDOW } from './support';
import { DEFAULT_TASK } from '../../../core/contracts/task';

const chunk = (snapshot: string, chunks?: number): HistoryChunk => ({
  type: 'history',
  snapshot,
  chunks,
  last_window_start: 0,
  window_micros: WINDOW,
  devices: [],
});

/** Chunks as they come through the log, each under a key that a later one may replace. */
function logged(...chunks: (readonly [key: string, chunk: HistoryChunk | string])[]): Snapshots {
  const snapshots = new Snapshots(DEFAULT_TASK);
  for (const [key, value] of chunks) {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    snapshots.keep({ key: Buffer.from(key), value: Buffer.from(text) });
  }
  return snapshots;
}

describe('snapshots of the devices’ past', () => {
  it('count when all of their chunks are there', () => {
    const half = logged(['0', chunk('a', 2)]);
    expect(half.newest()).toEqual({ snapshot: null, incomplete: { snapshot: 'a', chunks: 1, of: 2 } });
    expect(half.chunksOf('a')).toBeUndefined();
    const whole = logged(['0', chunk('a', 2)], ['1', chunk('a', 2)]);
    expect(whole.newest()).toEqual({ snapshot: 'a', incomplete: undefined });
    expect(whole.chunksOf('a')).toHaveLength(2);
  });

  it('leave the one before in place until they are whole', () => {
    const between = logged(['a0', chunk('a', 1)], ['b0', chunk('b', 2)]);
    expect(between.newest()).toEqual({ snapshot: 'a', incomplete: { snapshot: 'b', chunks: 1, of: 2 } });
  });

  it('that lost a chunk to a newer one are no longer whole', () => {
    const both = logged(['0', chunk('a', 2)], ['1', chunk('a', 2)], ['0', chunk('b', 2)]);
    expect(both.newest()).toMatchObject({ snapshot: null, incomplete: { snapshot: 'b' } });
    expect(both.chunksOf('a')).toBeUndefined();
  });

  it('keep a chunk whose key names them from one of another snapshot under it', () => {
    const both = logged(['history/0/a/0', chunk('a', 1)], ['history/0/a/0', chunk('b', 1)]);
    expect(both.newest()).toEqual({ snapshot: 'a', incomplete: undefined });
    expect(both.chunksOf('a')).toHaveLength(1);
  });

  it('keep of a device no more windows than lags need', () => {
    const device = {
      device_id: 'a',
      avg: [3, 2, 1],
      stddev: null,
      humidity_avg: [6, 5, 4],
      pressure_avg: [],
    };
    const snapshots = new Snapshots(DEFAULT_TASK, 2);
    const value = Buffer.from(JSON.stringify({ ...chunk('a', 1), devices: [device] }));
    snapshots.keep({ key: Buffer.from('0'), value });
    expect(snapshots.chunksOf('a')?.[0]?.devices).toEqual([{ ...device, avg: [3, 2], humidity_avg: [6, 5] }]);
  });

  it('are nothing without a single chunk, and chunks that are none do not count', () => {
    expect(logged().newest()).toEqual({ snapshot: null, incomplete: undefined });
    expect(logged(['0', 'nonsense'], ['1', '{"type":"history","snapshot":"a"}']).newest()).toMatchObject({
      snapshot: null,
    });
    expect(logged().chunksOf(null)).toBeUndefined();
  });

  it('published again replace themselves', () => {
    const again = logged(['0', chunk('a', 2)], ['1', chunk('a', 2)], ['0', chunk('a', 2)]);
    expect(again.newest()).toEqual({ snapshot: 'a', incomplete: undefined });
  });

  it('of a release that did not say how many chunks they have count as they are', () => {
    const old = logged(
      ['history/3/0', chunk('a')],
      ['history/3/1', chunk('a')],
      ['history/3/b/0', chunk('b', 1)],
    );
    expect(old.chunksOf('a')).toHaveLength(2);
    expect(old.newest()).toEqual({ snapshot: 'b', incomplete: undefined });
  });

  it('published again by a release whose keys name the snapshot are the same chunks', () => {
    const both = logged(
      ['history/3/0', chunk('a', 2)],
      ['history/3/1', chunk('a', 2)],
      ['history/3/a/0', chunk('a', 2)],
      ['history/3/a/1', chunk('a', 2)],
    );
    expect(both.newest()).toEqual({ snapshot: 'a', incomplete: undefined });
    expect(both.chunksOf('a')).toHaveLength(2);
  });
});
