import { Patience } from '../../../core/ingest/patience';

let millis = 0;
const patience = (): Patience => new Patience(() => millis);
beforeEach(() => {
  millis = 0;
});

/** Looks ten times a second, as a process does that runs. */
function runs(own: Patience, until: number): void {
  for (; millis < until; millis += 100) own.look();
}

describe('waiting for a partition that sends nothing', () => {
  it('is due to one that has more, for two seconds since it was heard', () => {
    const own = patience();
    const behind = { read: 5, highWatermark: 9, heardAt: 0 };
    runs(own, 1_900);
    expect(own.isDueTo(behind)).toBe(true);
    runs(own, 2_100);
    expect(own.isDueTo(behind)).toBe(false);
  });

  it('is not due to one that was read to its end', () => {
    const own = patience();
    runs(own, 500);
    expect(own.isDueTo({ read: 9, highWatermark: 9, heardAt: 400 })).toBe(false);
  });

  it('is due to every one for two seconds after a standstill: what was fetched before it is not all there is', () => {
    const own = patience();
    runs(own, 500);
    millis += 6_000;
    const heard = { read: 9, highWatermark: 9, heardAt: own.look() };
    expect(own.isDueTo(heard)).toBe(true);
    runs(own, millis + 2_100);
    expect(own.isDueTo(heard)).toBe(false);
  });

  it('is due for no more than two seconds of ten where one standstill comes after another', () => {
    const own = patience();
    const read = { read: 9, highWatermark: 9, heardAt: 0 };
    let waited = 0;
    for (let standstill = 0; standstill < 20; standstill += 1) {
      millis += 1_100;
      for (const end = millis + 700; millis < end; millis += 100) waited += own.isDueTo(read) ? 100 : 0;
    }
    expect(waited).toBeGreaterThan(0);
    expect(waited / millis).toBeLessThanOrEqual(0.2);
  });

  it('takes no pause of half a second for a standstill', () => {
    const own = patience();
    runs(own, 500);
    millis += 500;
    expect(own.isDueTo({ read: 9, highWatermark: 9, heardAt: 400 })).toBe(false);
  });
});
