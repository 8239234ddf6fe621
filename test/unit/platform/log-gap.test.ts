import { gapSentence, logGap } from '../../../core/platform/kafka/log-gap';

describe('reading on in a partition', () => {
  it('is possible where the broker has what comes next', () => {
    expect(logGap(100, { from: 100, highWatermark: 250 })).toBeUndefined();
  });

  it('counts the records that are gone', () => {
    expect(logGap(100, { from: 130, highWatermark: 250 })).toEqual({
      kind: 'expired',
      from: 100,
      until: 130,
    });
  });

  it('is refused where the log begins anew and ends before what was read', () => {
    expect(logGap(100, { from: 0, highWatermark: 40 })).toEqual({ kind: 'replaced', read: 100, end: 40 });
  });

  it('goes on while the broker only does not know yet how far the log goes', () => {
    // After a change of leaders the high watermark may lie behind what was read.
    expect(logGap(100, { from: 100, highWatermark: 90 })).toBeUndefined();
  });

  it('passes over records that come a second time', () => {
    expect(logGap(100, { from: 60, highWatermark: 250 })).toBeUndefined();
  });

  it.each([
    [
      { kind: 'expired', from: 1, until: 4 } as const,
      /^3 records of partition 1 of events were gone .*retention/,
    ],
    [
      { kind: 'replaced', read: 9, end: 2 } as const,
      /^partition 1 of events ends at offset 2, .*: it is not read$/,
    ],
    [
      { kind: 'replaced', read: 9 } as const,
      /^partition 1 of events is another log than .* read up to 9, .* made anew: it is not read$/,
    ],
  ])('says what happened and what to do: %j', (gap, sentence) => {
    expect(gapSentence('events', 1, gap, 'it is not read')).toMatch(sentence);
  });
});
