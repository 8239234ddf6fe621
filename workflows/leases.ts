import { CancellationScope, condition, isCancellation, log, proxyActivities } from '@temporalio/workflow';
import { type StreamActivities } from '../activities/stream';
import { streamQueue } from '../core/contracts/queues';
import { LEASE, LEASE_MILLIS } from './limits';

/**
 * The stream workers that evaluate, each under a lease: an activity on that worker's own queue, renewed when it runs out. A
 * worker that dies is missed after its heartbeat time-out and leaves the list; when it comes back it joins anew.
 */
export class Leases {
  private readonly held = new Set<string>();

  constructor(
    private readonly listener: {
      granted(worker: string): void;
      ended(worker: string, why: string): void;
    },
  ) {}

  get workers(): readonly string[] {
    return [...this.held].sort();
  }

  /** Give a worker its lease; one that has it keeps it. */
  grant(worker: string): void {
    if (this.held.has(worker)) return;
    this.held.add(worker);
    this.listener.granted(worker);
    this.hold(worker)
      .then(() => 'left')
      .catch((thrown: unknown) => (isCancellation(thrown) ? 'was drained' : 'is gone without a word'))
      .then((why) => {
        this.held.delete(worker);
        this.listener.ended(worker, why);
      })
      .catch((thrown: unknown) => {
        log.error('the end of a lease could not be told', { worker, cause: String(thrown) });
      });
  }

  /** Resolves once no lease is held any more: after a cancellation, when every worker has drained. */
  async allEnded(): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => this.held.size === 0));
  }

  private async hold(worker: string): Promise<void> {
    const { evaluateStream } = proxyActivities<StreamActivities>({
      ...LEASE,
      taskQueue: streamQueue(worker),
      summary: `lease of ${worker}`,
    });
    let result = await evaluateStream({ leaseMillis: LEASE_MILLIS });
    while (result.ended === 'run out') result = await evaluateStream({ leaseMillis: LEASE_MILLIS });
  }
}
