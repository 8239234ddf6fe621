import { ChangeSignal } from '../../../core/warehouse/sink/change-signal';

const never = (): Promise<undefined> => Promise.resolve(undefined);

/** Timers of jest and the steady clock in step. */
async function pass(millis: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(millis);
}

describe('the time-out of a wait', () => {
  beforeEach(() => jest.useFakeTimers({ advanceTimers: false }));
  afterEach(() => jest.useRealTimers());

  it('runs by the clock where nothing holds it up', async () => {
    let isOver = false;
    const wait = new ChangeSignal().waitFor(never, { timeoutMillis: 120_000 }).then(() => (isOver = true));
    await pass(119_000);
    expect(isOver).toBe(false);
    await pass(2_000);
    expect(isOver).toBe(true);
    await wait;
  });

  it('begins anew when what held it up is over: an outage of an hour costs nothing', async () => {
    let isAway = false;
    let isOver = false;
    const options = { timeoutMillis: 120_000, isHeldUp: () => isAway };
    const wait = new ChangeSignal().waitFor(never, options).then(() => (isOver = true));
    await pass(100_000);
    isAway = true;
    await pass(3_600_000);
    isAway = false;
    await pass(118_000);
    expect(isOver).toBe(false);
    await pass(3_000);
    expect(isOver).toBe(true);
    await wait;
  });
});
