import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { evaluateStream } from '../../../activities/evaluate-stream';
import { Lease } from '../../../activities/shared/lease';
import { type LeaseReport, type LeaseResult } from '../../../core/contracts/evaluation';

/** A stream service that only records its calls. */
function fakeService(): {
  calls: string[];
  status: () => LeaseReport;
  pause: () => Promise<void>;
  resume: () => void;
} {
  const calls: string[] = [];
  return {
    calls,
    status: () => ({ partitions: [{ partition: 2, offset: 40, lag: 3 }] }),
    pause: () => {
      calls.push('pause');
      return Promise.resolve();
    },
    resume: () => void calls.push('resume'),
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
    expect(service.calls).toEqual(['resume']);
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
    expect(service.calls).toEqual(['resume', 'pause']);
    expect(lease.wasDrained).toBe(true);
  });

  it('leaves the stream alone when Temporal no longer knows the lease', async () => {
    const environment = new MockActivityEnvironment();
    const service = fakeService();
    const lease = new Lease();
    const held = run(environment, service, lease, 60_000);
    environment.cancel('NOT_FOUND', new ActivityCancellationDetails({ notFound: true }));
    await expect(held).rejects.toThrow('NOT_FOUND');
    expect(service.calls).toEqual(['resume']);
    expect(lease.wasDrained).toBe(false);
  });
});
