import fc from 'fast-check';
import {
  type BlockPlace,
  completeBefore,
  fence,
  judge,
  type Mark,
  type Place,
} from '../../../core/warehouse/sink/marks';

const place = (windowStart: number, ordinal: number, last: boolean): Place => ({
  windowStart,
  ordinal,
  last,
});
const marked = (windowStart: number, ordinal: number, last: boolean, epoch = 1): Mark => ({
  epoch,
  place: place(windowStart, ordinal, last),
});

const WINDOW = 30;
/** A block of a window of 30; what was written before it is not said unless given. */
const block = (windowStart: number, ordinal: number, last: boolean, after?: number): BlockPlace => ({
  ...place(windowStart, ordinal, last),
  windowEnd: windowStart + WINDOW,
  after: after ?? null,
});

describe('the mark of a partition', () => {
  it('stores blocks that follow one another', () => {
    const first = judge(undefined, 1, block(0, 0, false));
    const second = judge(first.mark, 1, block(0, 1, true));
    const third = judge(second.mark, 1, block(30, 0, true));
    expect([first, second, third].map(({ judgement, gap }) => [judgement, gap])).toEqual([
      ['stored', null],
      ['stored', null],
      ['stored', null],
    ]);
  });

  it('drops what lies at or before it', () => {
    const mark = marked(30, 1, false);
    expect(judge(mark, 1, block(30, 1, false)).judgement).toBe('stored-before');
    expect(judge(mark, 1, block(30, 0, false)).judgement).toBe('stored-before');
    expect(judge(mark, 1, block(0, 7, true)).judgement).toBe('stored-before');
  });

  it('drops a zombie of an older epoch even when its block is new', () => {
    const afterTakeover = judge(marked(0, 0, true, 1), 2, block(0, 0, true));
    expect(afterTakeover.judgement).toBe('stored-before');
    expect(judge(afterTakeover.mark, 1, block(30, 0, true)).judgement).toBe('older-epoch');
    expect(judge(afterTakeover.mark, 2, block(30, 0, true)).judgement).toBe('stored');
  });

  it('goes back at a fence behind the window that the watermark was set back from, and once', () => {
    const reset = { from: 900, to: 30 };
    const back = fence(marked(900, 0, true), 1, reset);
    expect(judge(back, 1, block(60, 0, true))).toMatchObject({ judgement: 'stored', gap: null });
    const later = marked(60, 0, true);
    expect(fence(later, 2, reset)).toEqual(marked(60, 0, true, 2));
    expect(fence(marked(900, 0, true, 3), 2, reset)).toEqual(marked(900, 0, true, 3));
  });

  it('takes a fence as the end of older epochs, and of nothing else', () => {
    expect(judge(fence(marked(0, 0, true, 1), 2), 1, block(30, 0, true)).judgement).toBe('older-epoch');
    expect(judge(fence(marked(0, 0, true, 1), 2), 2, block(30, 0, true))).toMatchObject({
      judgement: 'stored',
      gap: null,
    });
    expect(judge(fence(undefined, 2), 2, block(30, 0, true))).toMatchObject({
      judgement: 'stored',
      gap: null,
    });
    expect(fence(marked(0, 0, true, 3), 2)).toEqual(marked(0, 0, true, 3));
  });

  it('notices when a block before it never came', () => {
    expect(judge(undefined, 1, block(0, 1, true)).gap).toEqual({ from: 0, until: 30 });
    expect(judge(marked(0, 0, false), 1, block(0, 2, true)).gap).toEqual({ from: 0, until: 30 });
    expect(judge(marked(0, 0, false), 1, block(30, 0, true)).gap).toEqual({ from: 0, until: 30 });
    expect(judge(marked(0, 0, true), 1, block(30, 1, true)).gap).toEqual({ from: 30, until: 60 });
  });

  it('notices windows that were written and never came', () => {
    expect(judge(marked(0, 0, true), 1, block(120, 0, true, 120)).gap).toEqual({ from: 30, until: 120 });
    expect(judge(marked(0, 0, false), 1, block(120, 0, true, 120)).gap).toEqual({ from: 0, until: 120 });
    expect(judge(marked(0, 0, true), 1, block(300, 0, true, 120)).gap).toEqual({ from: 30, until: 120 });
  });

  it('takes windows that nobody wrote, because nothing came in them, for none', () => {
    expect(judge(marked(90, 0, true), 1, block(300, 0, true, 120)).gap).toBeNull();
    expect(judge(marked(90, 0, true), 1, block(300, 0, true)).gap).toBeNull();
    expect(judge(undefined, 1, block(300, 0, true)).gap).toBeNull();
  });

  it('notices before the first block of all that others were written, of which it knows the last', () => {
    expect(judge(undefined, 1, block(300, 0, true, 120)).gap).toEqual({ from: 90, until: 120 });
    expect(judge(fence(undefined, 1), 1, block(300, 0, true, 120)).gap).toEqual({ from: 90, until: 120 });
  });

  it('gives each row once, in order, whatever epochs re-emit, zombies write and Kafka delivers again', () => {
    const scenario = fc.record({
      blocksPerWindow: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
      // Each epoch starts some blocks back from what was emitted and writes some; zombies go on in between.
      epochs: fc.array(
        fc.record({ back: fc.nat(5), writes: fc.nat(8), zombieWrites: fc.nat(4), fences: fc.boolean() }),
        {
          maxLength: 6,
        },
      ),
      redeliverAt: fc.array(fc.nat(60), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(scenario, ({ blocksPerWindow, epochs, redeliverAt }) => {
        const truth = blocksPerWindow.flatMap((blocks, window) =>
          Array.from({ length: blocks }, (_, ordinal) => ({
            windowStart: window * 30,
            ordinal,
            last: ordinal === blocks - 1,
          })),
        );
        const log: { epoch: number; place: Place | null }[] = [];
        let emitted = 0;
        const write = (epoch: number, from: number, count: number): number => {
          const blocks = truth.slice(from, from + count);
          log.push(...blocks.map((block) => ({ epoch, place: block })));
          return from + blocks.length;
        };
        let predecessorAt = 0;
        epochs.forEach(({ back, writes, zombieWrites, fences }, index) => {
          if (fences) log.push({ epoch: index + 1, place: null });
          // A worker takes over at or before what its predecessors wrote while they had the partition; what a predecessor
          // writes afterwards is a zombie's, and nobody may count on it.
          const reached = write(index + 1, Math.max(0, emitted - back), writes);
          emitted = Math.max(emitted, reached);
          if (index > 0) write(index, predecessorAt, zombieWrites);
          predecessorAt = reached;
        });
        write(epochs.length + 1, Math.max(0, emitted - 2), truth.length);

        const delivered = redeliverAt.reduce((records, at) => {
          const cut = Math.min(at, records.length);
          // A consumer that died before its commit gets the last records again.
          return [
            ...records.slice(0, cut),
            ...records.slice(Math.max(0, cut - 7), cut),
            ...records.slice(cut),
          ];
        }, log);
        let mark: Mark | undefined;
        const stored: unknown[] = [];
        let gaps = 0;
        for (const { epoch, place: block } of delivered) {
          if (block === null) {
            mark = fence(mark, epoch);
            continue;
          }
          const judged = judge(mark, epoch, {
            ...block,
            windowEnd: block.windowStart + WINDOW,
            after: block.windowStart === 0 ? null : block.windowStart,
          });
          mark = judged.mark;
          if (judged.judgement === 'stored') stored.push(block);
          if (judged.gap !== null) gaps += 1;
        }
        expect(stored).toEqual(truth);
        expect(gaps).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('complete windows', () => {
  it('are those that every partition has delivered the last block of', () => {
    expect(completeBefore([marked(60, 0, true), marked(60, 2, true)])).toBe(61);
    expect(completeBefore([marked(60, 0, true), marked(60, 0, false)])).toBe(60);
    expect(completeBefore([marked(60, 0, true), marked(30, 1, true)])).toBe(31);
  });

  it('are none while a partition has delivered nothing', () => {
    expect(completeBefore([])).toBe(Number.NEGATIVE_INFINITY);
    expect(completeBefore([marked(60, 0, true), fence(undefined, 1)])).toBe(Number.NEGATIVE_INFINITY);
    expect(completeBefore([marked(60, 0, true), undefined])).toBe(Number.NEGATIVE_INFINITY);
  });
});
