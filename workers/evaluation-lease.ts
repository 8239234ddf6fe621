import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { z } from 'zod';
import { Lease } from '../activities/shared/lease';
import { createStreamActivities } from '../activities/stream';
import { messageOf } from '../core/contracts/errors';
import {
  continuousEvaluationInputSchema,
  type ContinuousEvaluationInput,
  type Join,
} from '../core/contracts/evaluation';
import { type FleetNames } from '../core/contracts/queues';
import { parseOrThrow } from '../core/contracts/validation';
import { type StreamService } from '../core/stream/service';
import { type RoleContext } from './role';
import { startTemporalWorker, type TemporalConnection } from './temporal';

/** A join is answered within a second where a rounds worker runs; where none does, it is repeated ever more rarely. */
const FIRST_JOIN_PAUSE_MS = 10_000;
const MAX_JOIN_PAUSE_MS = 300_000;
/** While Temporal is away the evaluation continues; the next attempt must come soon enough that the worker is seen again. */
const FIRST_CONNECT_PAUSE_MS = 1_000;
const MAX_CONNECT_PAUSE_MS = 30_000;
/** The old lease of a workflow that continued as new may still be ending. */
const LEASES_AT_ONCE = 2;

export interface EvaluationLease {
  /** Give the lease back; resolves when this worker polls no more. */
  stop(): Promise<void>;
}

/** What an evaluation that workers start has where `FEDLOOP_EVALUATION` does not say: a fresh deployment gets its first version by itself, and what serves is refitted. */
const STARTED_BY_WORKERS: Partial<ContinuousEvaluationInput> = { firstRound: 'auto', refitEveryWindows: 12 };

/** The input with which the first worker starts the workflow: JSON in `FEDLOOP_EVALUATION`. @throws FedloopError `InvalidConfig` */
export function evaluationInput(text: string | undefined): ContinuousEvaluationInput {
  let value: unknown = STARTED_BY_WORKERS;
  try {
    if (text !== undefined && text !== '') {
      value = JSON.parse(text);
      const given = z.record(z.string(), z.unknown()).safeParse(value);
      if (given.success) value = { ...STARTED_BY_WORKERS, ...given.data };
    }
  } catch {
    value = text;
  }
  return parseOrThrow(continuousEvaluationInputSchema, value, 'FEDLOOP_EVALUATION', 'InvalidConfig');
}

/**
 * Join `continuousEvaluation`, starting it where it does not run, and keep its lease. The stream does not depend on it: it continues while
 * Temporal is away.
 */
export function keepEvaluationLease(
  service: StreamService,
  input: ContinuousEvaluationInput,
  names: FleetNames,
  { log, tracing }: Pick<RoleContext, 'log' | 'tracing'>,
): EvaluationLease {
  const worker = `${hostname()
    .toLowerCase()
    .replace(/[^a-z0-9.-]/g, '-')
    .replace(/^[^a-z0-9]+/, '')}-${process.pid}`;
  const lease = new Lease();
  const stopping = new AbortController();
  const pause = (millis: number): Promise<unknown> =>
    sleep(millis, undefined, { signal: stopping.signal }).catch(() => undefined);

  const hold = async (): Promise<void> => {
    const temporal = await startTemporalWorker(log, {
      taskQueue: names.streamQueue(worker),
      activities: createStreamActivities({ service, lease }),
      interceptors: { activity: [...tracing.activities] },
      maxConcurrentActivityTaskExecutions: LEASES_AT_ONCE,
    });
    try {
      await Promise.race([temporal.failed, seek(temporal)]);
    } finally {
      await temporal.stop();
    }
  };

  /** Join whenever this worker has no lease. */
  const seek = async ({ connection, namespace, dataConverter }: TemporalConnection): Promise<void> => {
    const client = new Client({ connection, namespace, ...(dataConverter && { dataConverter }) });
    let wait = FIRST_JOIN_PAUSE_MS;
    while (!stopping.signal.aborted) {
      if (lease.isHeld) {
        wait = FIRST_JOIN_PAUSE_MS;
      } else {
        await join(client, names, { worker, input, onlyRunning: lease.wasDrained }).catch(
          (cause: unknown) => {
            log.warn({ err: cause }, 'the evaluation could not be joined; it continues without a lease');
          },
        );
        wait = lease.wasDrained ? FIRST_JOIN_PAUSE_MS : Math.min(2 * wait, MAX_JOIN_PAUSE_MS);
      }
      await pause(lease.isHeld ? FIRST_JOIN_PAUSE_MS : wait);
    }
  };

  const running = (async () => {
    let wait = FIRST_CONNECT_PAUSE_MS;
    while (!stopping.signal.aborted) {
      const began = performance.now();
      try {
        await hold();
      } catch (cause) {
        log.warn({ reason: messageOf(cause) }, 'Temporal is away; the evaluation continues without a lease');
      }
      wait = performance.now() - began > MAX_CONNECT_PAUSE_MS ? FIRST_CONNECT_PAUSE_MS : 2 * wait;
      await pause(Math.min(wait, MAX_CONNECT_PAUSE_MS));
    }
  })();

  return {
    async stop() {
      stopping.abort();
      lease.leave();
      await running;
    },
  };
}

interface Joining {
  readonly worker: string;
  readonly input: ContinuousEvaluationInput;
  /** Of a worker that was drained: it joins an evaluation that runs, and starts none. */
  readonly onlyRunning: boolean;
}

async function join(
  client: Client,
  { evaluationId, roundsQueue }: FleetNames,
  { worker, input, onlyRunning }: Joining,
): Promise<void> {
  const joining: Join = { worker };
  if (onlyRunning) {
    const handle = client.workflow.getHandle(evaluationId);
    if ((await handle.describe()).status.name === 'RUNNING') await handle.signal('join', joining);
    return;
  }
  await client.workflow.signalWithStart('continuousEvaluation', {
    workflowId: evaluationId,
    taskQueue: roundsQueue,
    args: [input],
    signal: 'join',
    signalArgs: [joining],
    staticSummary: 'the live evaluation of this deployment',
  });
}
