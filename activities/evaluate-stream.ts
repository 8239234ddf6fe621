import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { type LeaseInput, type LeaseResult } from '../core/contracts/evaluation';
import { type StreamService } from '../core/stream/service';
import { type Lease } from './shared/lease';

/** Well within the heartbeat time-out of a lease. */
const HEARTBEAT_MS = 5_000;

export interface EvaluateStreamDependencies {
  readonly service: Pick<StreamService, 'status' | 'pause' | 'resume'>;
  readonly lease: Lease;
}

/**
 * Hold the lease of this process's stream evaluation. The process evaluates with or without a lease. The lease's heartbeats carry its
 * offsets, and people can stop it: a cancellation drains the process, which then pauses until its next lease.
 */
export async function evaluateStream(
  { service, lease }: EvaluateStreamDependencies,
  { leaseMillis }: LeaseInput,
): Promise<LeaseResult> {
  const context = Context.current();
  const beat = (): void => {
    context.heartbeat(service.status());
  };
  const over = new AbortController();
  const timer = setInterval(beat, HEARTBEAT_MS);
  lease.begin();
  service.resume();
  try {
    beat();
    const ended = await Promise.race([
      context.cancelled,
      lease.leaving.then(() => 'worker leaves' as const),
      sleep(leaseMillis, 'run out' as const, { signal: over.signal }),
    ]);
    return { ended, ...service.status() };
  } catch (thrown) {
    // Only a person's cancellation stops the evaluation; a lost connection, or a workflow that continues as new, does not.
    if (context.cancellationDetails?.cancelRequested === true) {
      lease.markDrained();
      await service.pause();
    }
    throw thrown;
  } finally {
    clearInterval(timer);
    over.abort();
    lease.end();
  }
}
