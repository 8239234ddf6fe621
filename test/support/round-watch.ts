import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, type WorkflowHandle } from '@temporalio/client';
import { unlessAborted } from '../../cli/shared/wait';
import { messageOf } from '../../core/contracts/errors';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { federatedRoundResultSchema, type FederatedRoundResult } from '../../core/contracts/rounds';
import { ROUND_STEPS, type RoundProgress, type RoundStep } from '../../core/contracts/steps';
import { NAMES } from './names';

const LOOK_EVERY_MILLIS = 100;
/** temporal.api.enums.v1.PendingActivityState.PENDING_ACTIVITY_STATE_STARTED */
const RUNNING = 2;

/** What a look brought: what is waited for, or what there was instead. */
type Look<Found> = { readonly found: Found } | { readonly seen: string };

/** Look repeatedly until it is there. @throws Error that names what was seen last, when time is up or a look itself hangs. */
export async function eventually<Found>(
  what: string,
  millis: number,
  look: () => Promise<Look<Found>>,
): Promise<Found> {
  const over = AbortSignal.timeout(millis);
  let seen = 'nothing';
  for (;;) {
    try {
      const looked = await unlessAborted(look(), over);
      if ('found' in looked) return looked.found;
      ({ seen } = looked);
      await sleep(LOOK_EVERY_MILLIS, undefined, { signal: over });
    } catch (cause) {
      if (!over.aborted) throw cause;
      throw new Error(`${what}: not within ${millis / 1_000} s; last seen: ${seen}`, { cause });
    }
  }
}

/** Rounds of a system whose workers and servers come and go. Every wait is bounded; a wait that fails names what it saw instead. */
export class RoundWatch {
  constructor(
    private readonly client: Client,
    private readonly waitMillis: number,
  ) {}

  /** @returns a handle of this run: another round may run under the same id later. */
  async start(workflowId: string, input: unknown): Promise<WorkflowHandle> {
    const { firstExecutionRunId } = await this.client.workflow.start('federatedRound', {
      workflowId,
      taskQueue: NAMES.roundsQueue,
      args: [input],
    });
    return this.client.workflow.getHandle(workflowId, firstExecutionRunId);
  }

  async resultOf(round: WorkflowHandle): Promise<FederatedRoundResult> {
    const result = round.result();
    result.catch(() => undefined);
    await eventually(`the end of ${round.workflowId}`, this.waitMillis, async () =>
      (await round.describe()).status.name === 'RUNNING'
        ? { seen: await situationOf(round) }
        : { found: 'ended' },
    );
    return federatedRoundResultSchema.parse(await result);
  }

  /** @returns when this try of an activity began, in milliseconds since 1970, whether or not it has ended by now. */
  begun(round: WorkflowHandle, activity: string, attempt = 1): Promise<number> {
    const what = `try ${attempt} of ${activity} in ${round.workflowId}`;
    return eventually(what, this.waitMillis, async () => {
      const { raw } = await round.describe();
      const pending = raw.pendingActivities?.find(({ activityType }) => activityType?.name === activity);
      const isRunning = Number(pending?.state) === RUNNING;
      if (isRunning && (pending?.attempt ?? 0) >= attempt)
        return { found: millisOf(pending?.lastStartedTime) };
      // Only the try that ended an activity is in the history.
      const ended = await endedTry(round, activity);
      if (ended !== undefined && ended.attempt >= attempt) return { found: ended.at };
      if (ended !== undefined) throw new Error(`${what}: it ended with try ${ended.attempt}`);
      return { seen: await situationOf(round) };
    });
  }

  async at(round: WorkflowHandle, step: RoundStep): Promise<void> {
    const what = `${round.workflowId} at "${step}"`;
    await eventually(what, this.waitMillis, async () => {
      const { step: now } = await round.query<RoundProgress>('progress');
      if (now === step) return { found: now };
      if (ROUND_STEPS.indexOf(now) > ROUND_STEPS.indexOf(step))
        throw new Error(`${what}: it is at "${now}" already`);
      return { seen: await situationOf(round) };
    });
  }

  /** Stream workers that hold a lease. */
  async leaseHolders(): Promise<readonly string[]> {
    return (await this.evaluation()).workers;
  }

  /** @returns when it was seen, in milliseconds since 1970, that this worker holds its lease no longer. */
  leaseLost(worker: string): Promise<number> {
    return eventually(`the evaluation misses ${worker}`, this.waitMillis, async () => {
      const progress = await this.evaluation();
      return progress.workers.includes(worker) ? { seen: JSON.stringify(progress) } : { found: Date.now() };
    });
  }

  private evaluation(): Promise<EvaluationProgress> {
    return this.client.workflow.getHandle(NAMES.evaluationId).query<EvaluationProgress>('progress');
  }
}

interface EndedTry {
  readonly attempt: number;
  readonly at: number;
}

async function endedTry(round: WorkflowHandle, activity: string): Promise<EndedTry | undefined> {
  const { events } = await round.fetchHistory();
  const scheduled = new Set(
    events
      ?.filter(({ activityTaskScheduledEventAttributes: known }) => known?.activityType?.name === activity)
      .map(({ eventId }) => String(eventId)),
  );
  const started = events?.findLast(({ activityTaskStartedEventAttributes: known }) =>
    scheduled.has(String(known?.scheduledEventId)),
  );
  const attempt = started?.activityTaskStartedEventAttributes?.attempt;
  return typeof attempt === 'number' ? { attempt, at: millisOf(started?.eventTime) } : undefined;
}

/** Where a workflow stands, in one line, for the message of a failed test. */
async function situationOf(round: WorkflowHandle): Promise<string> {
  const { status, raw } = await round.describe();
  const pending = (raw.pendingActivities ?? []).map(({ activityType, attempt, state, lastFailure }) =>
    [
      `${activityType?.name ?? 'an activity'}, try ${attempt ?? 0}, ${Number(state) === RUNNING ? 'runs' : 'waits'}`,
      ...(lastFailure?.message == null ? [] : [`after: ${lastFailure.message}`]),
    ].join(' '),
  );
  const step = await round
    .query<RoundProgress>('progress')
    .then((progress) => JSON.stringify(progress))
    .catch((cause: unknown) => `no answer to "progress": ${messageOf(cause)}`);
  return `${status.name}; ${pending.join('; ') || 'no activity'}; ${step}`;
}

function millisOf(
  time: { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined,
): number {
  return Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1_000_000;
}
