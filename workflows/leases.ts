import { CancellationScope, condition, isCancellation, log, proxyActivities } from '@temporalio/workflow';
import { type StreamActivities } from '../activities/stream';
import { ownFleet } from './fleet';
import { LEASE, LEASE_MILLIS } from './limits';

/**
 * The stream workers that evaluate, each under a lease: an activity on that worker's own queue, renewed when it runs out. A
 * worker that dies leaves the list after its heartbeat time-out; when it comes back it joins again.
 */
export class Leases {
  private readonly leased = new Set<string>();

  constructor(
    private readonly listener: {
      granted(worker: string): void;
      ended(worker: string, why: string): void;
    },
  ) {}

  get workers(): readonly string[] {
    return [...this.leased].sort();
  }

  /** Give a worker a lease, unless it has one. */
  grant(worker: string): void {
    if (this.leased.has(worker)) return;
    this.leased.add(worker);
    this.listener.granted(worker);
    this.renew(worker)
      .then(() => 'left')
      .catch((thrown: unknown) => (isCancellation(thrown) ? 'was drained' : 'stopped responding'))
      .then((why) => {
        this.leased.delete(worker);
        this.listener.ended(worker, why);
      })
      .catch((thrown: unknown) => {
        log.error('the end of a lease could not be reported', { worker, cause: String(thrown) });
      });
  }

  /** Resolves once no worker has a lease any more: after a cancellation, when every worker has drained. */
  async allEnded(): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => this.leased.size === 0));
  }

  private async renew(worker: string): Promise<void> {
    const { evaluateStream } = proxyActivities<StreamActivities>({
      ...LEASE,
      taskQueue: ownFleet().streamQueue(worker),
      summary: `lease of ${worker}`,
    });
    let result = await evaluateStream({ leaseMillis: LEASE_MILLIS });
    while (result.ended === 'run out') result = await evaluateStream({ leaseMillis: LEASE_MILLIS });
  }
}
