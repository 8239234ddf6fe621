import { type FedloopError } from '../../../core/contracts/errors';
import { eventsFor } from '../../../bench/stream/workload';

const REFERENCE_RATE = 12_000;
/** 50,000 devices, each as lively as one of the reference fleet. */
const LARGE_RATE = 249_273;

describe('events of a benchmark', () => {
  it('are 12 million of the reference fleet, and as many of a faster one as six of its windows need', () => {
    expect(eventsFor(undefined, REFERENCE_RATE)).toBe(12_000_000);
    // Six windows of 30 s, a minute of watermark, two seconds of delay.
    expect(eventsFor(undefined, LARGE_RATE)).toBe(LARGE_RATE * 242);
  });

  it('are as many as asked for, unless no window would close: that is an error before anything starts', () => {
    expect(eventsFor(3_000_000, REFERENCE_RATE)).toBe(3_000_000);
    expect(() => eventsFor(3_000_000, LARGE_RATE)).toThrow(
      expect.objectContaining({
        code: 'InvalidInput',
        message: '3,000,000 events at 249,273 a second are 12 s of event time, and no window closes in it',
        hint: expect.stringContaining('22,933,116') as string,
      } satisfies Partial<Record<keyof FedloopError, unknown>>) as Error,
    );
  });
});
