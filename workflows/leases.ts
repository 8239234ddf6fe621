import {
  CancellationScope,
  condition,
  isCancellation,
  log,
  patched,
  proxyActivities,
} from '@temporalio/workflow';
import { type StreamActivities } from '../activities/stream';
import { ownFleet } from './fleet';
import { LEASE, LEASE_MILLIS, MAX_LEASES } from './limits';

/**
 * The stream workers that evaluate, each under a lease: an activity on that worker's own queue, renewed when it runs out. A
 * worker counts once it has answered. One that dies leaves the list after its heartbeat time-out; when it comes back it joins again.
 */
export class Leases {
  /** Workers that were asked, whether they have answered or not. */
  private readonly asked = new Set<string>();
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

  /** Give a lease to a worker that has asked for one, unless it has one. Beyond the most leases it is passed over, and asks again. */
  grant(worker: string): void {
    if (this.asked.has(worker)) return;
    if (this.asked.size >= MAX_LEASES) {
      log.warn('passed over a worker that asked for a lease: there are too many', { worker });
      return;
    }
    // Evaluations that an earlier release has started go on as they began.
    if (patched('workers-count-once-they-answer')) this.hold(worker, this.meet(worker));
    else this.keep(worker);
  }

  /** Go on with the lease of an earlier run. */
  keep(worker: string): void {
    this.count(worker);
    this.hold(worker, this.renew(worker));
  }

  /** Resolves once no worker has a lease any more: after a cancellation, when every worker has drained. */
  async allEnded(): Promise<void> {
    await CancellationScope.nonCancellable(() => condition(() => this.asked.size === 0));
  }

  private hold(worker: string, leases: Promise<void>): void {
    this.asked.add(worker);
    leases
      .then(() => 'left')
      .catch((thrown: unknown) => (isCancellation(thrown) ? 'was drained' : 'stopped responding'))
      .then((why) => {
        this.asked.delete(worker);
        if (this.leased.delete(worker)) this.listener.ended(worker, why);
      })
      .catch((thrown: unknown) => {
        log.error('the end of a lease could not be reported', { worker, cause: String(thrown) });
      });
  }

  private count(worker: string): void {
    this.leased.add(worker);
    this.listener.granted(worker);
  }

  /** Ask for a lease of no length first: a name that anybody may signal is no worker until somebody on its queue answers. */
  private async meet(worker: string): Promise<void> {
    const { ended } = await this.stepsOf(worker).evaluateStream({ leaseMillis: 0 });
    if (ended !== 'run out') return;
    this.count(worker);
    await this.renew(worker);
  }

  private async renew(worker: string): Promise<void> {
    const { evaluateStream } = this.stepsOf(worker);
    let result = await evaluateStream({ leaseMillis: LEASE_MILLIS });
    while (result.ended === 'run out') result = await evaluateStream({ leaseMillis: LEASE_MILLIS });
  }

  private stepsOf(worker: string): Pick<StreamActivities, 'evaluateStream'> {
    return proxyActivities<StreamActivities>({
      ...LEASE,
      taskQueue: ownFleet().streamQueue(worker),
      summary: `lease of ${worker}`,
    });
  }
}
