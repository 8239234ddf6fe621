import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { evaluateStream } from '../../../activities/evaluate-stream';
import { Lease } from '../../../activities/shared/lease';
import { type LeaseResult } from '../../../core/contracts/evaluation';
import { type StreamStatus } from '../../../core/stream/service';

/** A stream service that only remembers what it was told. */
function fakeService(): {
  told: string[];
  status: () => StreamStatus;
  rest: () => Promise<void>;
  goOn: () => void;
} {
  const told: string[] = [];
  return {
    told,
    status: () => ({
      resting: false,
      partitions: [
        {
          partition: 2,
          epoch: 1,
          offset: 40,
          lag: 3,
          watermark: null,
          openWindows: 0,
          versions: [],
          counts: { read: 40, windowed: 40, late: 0, duplicate: 0, future: 0, malformed: 0 } as never,
        },
      ],
    }),
    rest: () => {
      told.push('rest');
      return Promise.resolve();
    },
    goOn: () => void told.push('go on'),
  };
}

const run = (
  environment: MockActivityEnvironment,
  service: ReturnType<typeof fakeService>,
  lease: Lease,
  leaseMillis: number,
): Promise<LeaseResult> =>
  environment.run<[], LeaseResult, () => Promise<LeaseResult>>(() =>
    evaluateStream({ service, lease }, { leaseMillis }),
  );

describe('the lease of a stream worker', () => {
  it('runs out and says how far the worker is', async () => {
    const service = fakeService();
    const result = await run(new MockActivityEnvironment(), service, new Lease(), 20);
    expect(result).toEqual({ ended: 'run out', partitions: [{ partition: 2, offset: 40, lag: 3 }] });
    expect(service.told).toEqual(['go on']);
  });

  it('carries offsets and lag in its heartbeats', async () => {
    const environment = new MockActivityEnvironment();
    const beats: unknown[] = [];
    environment.on('heartbeat', (details) => beats.push(details));
    await run(environment, fakeService(), new Lease(), 20);
    expect(beats[0]).toEqual({ partitions: [{ partition: 2, offset: 40, lag: 3 }] });
  });

  it('is given back at once when the worker leaves', async () => {
    const lease = new Lease();
    const held = run(new MockActivityEnvironment(), fakeService(), lease, 60_000);
    expect(lease.isHeld).toBe(true);
    lease.leave();
    expect((await held).ended).toBe('worker leaves');
    expect(lease.isHeld).toBe(false);
  });

  it('drains the worker when a person cancels it', async () => {
    const environment = new MockActivityEnvironment();
    const service = fakeService();
    const lease = new Lease();
    const held = run(environment, service, lease, 60_000);
    environment.cancel('CANCELLED', new ActivityCancellationDetails({ cancelRequested: true }));
    await expect(held).rejects.toThrow('CANCELLED');
    expect(service.told).toEqual(['go on', 'rest']);
    expect(lease.wasDrained).toBe(true);
  });

  it('leaves the stream alone when Temporal no longer knows the lease', async () => {
    const environment = new MockActivityEnvironment();
    const service = fakeService();
    const lease = new Lease();
    const held = run(environment, service, lease, 60_000);
    environment.cancel('NOT_FOUND', new ActivityCancellationDetails({ notFound: true }));
    await expect(held).rejects.toThrow('NOT_FOUND');
    expect(service.told).toEqual(['go on']);
    expect(lease.wasDrained).toBe(false);
  });
});
