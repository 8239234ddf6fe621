import { type Client, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { type FleetNames } from '../../core/contracts/queues';
import {
  federatedRoundResultSchema,
  type FederatedRoundResult,
  type FederatedTrainingInput,
} from '../../core/contracts/rounds';
import { batchResultSchema, type BatchResult } from '../../core/contracts/batch-result';
import { describeBatch } from '../temporal/batch-result';
import { LIMITS } from '../shared/limits';
import { endOf, type Step } from '../progress';
import {
  queryRoundProgress,
  describeResult,
  describeStep,
  fractionOf,
  terminateTraining,
} from '../temporal/rounds-progress';
import { type Session } from '../system/session';
import { poll } from '../shared/wait';
import { workflowFailure } from '../temporal/workflow-failure';

const trainingProgress = z.object({ finished: z.array(federatedRoundResultSchema) });

/**
 * Run the rounds and show the progress of each. When the session's signal is aborted, the workflow is terminated, so that a server
 * that stays up does not keep it.
 * @throws FedloopError with the code that a step failed with.
 */
export async function trainRounds(
  session: Session,
  client: Client,
  names: FleetNames,
  input: FederatedTrainingInput,
): Promise<void> {
  const handle = await start(client, names.roundsQueue, {
    workflow: 'federatedTraining',
    workflowId: names.trainingId,
    input,
  });
  let ended = false;
  const result = handle.result().finally(() => {
    ended = true;
  });
  result.catch(() => undefined);
  const terminate = (): void => {
    // Our own server may have ended already, and the workflow with it.
    terminateTraining(client, names, 'the demo was interrupted').catch(() => undefined);
  };
  session.signal.addEventListener('abort', terminate, { once: true });

  const shown = new Set<number>();
  let step: Step | undefined;
  const show = (finished: readonly FederatedRoundResult[]): void => {
    for (const round of finished) {
      if (shown.has(round.round)) continue;
      step ??= session.progress.step(roundTitle(shown.size, input.rounds));
      step.done(describeResult(round));
      step = undefined;
      shown.add(round.round);
    }
  };
  try {
    await poll(
      async () => {
        show(await finishedRounds(handle));
        if (ended) return true;
        step ??= session.progress.step(roundTitle(shown.size, input.rounds));
        const progress = await queryRoundProgress(client, names, names.trainingId);
        if (progress !== undefined) step.update(describeStep(progress), fractionOf(progress));
        return undefined;
      },
      {
        everyMillis: LIMITS.progressPollMillis,
        timeoutMillis: Number.POSITIVE_INFINITY,
        signal: session.signal,
      },
    );
    await result;
    step?.done();
  } catch (thrown) {
    step?.fail(endOf(thrown));
    throw workflowFailure(thrown, 'training');
  } finally {
    session.signal.removeEventListener('abort', terminate);
  }
}

/** Count the processed files once. @throws FedloopError */
export async function countProcessed(
  session: Session,
  client: Client,
  names: FleetNames,
): Promise<BatchResult> {
  const step = session.progress.step('Counting the processed files');
  try {
    const handle = await start(client, names.roundsQueue, {
      workflow: 'batchAnalytics',
      workflowId: names.batchId,
      input: {},
    });
    const batch = batchResultSchema.parse(await handle.result());
    step.done(describeBatch(batch));
    return batch;
  } catch (thrown) {
    step.fail(endOf(thrown));
    throw workflowFailure(thrown, 'the batch run');
  }
}

interface Handle {
  result(): Promise<unknown>;
  query(name: string): Promise<unknown>;
}

interface Run {
  readonly workflow: string;
  readonly workflowId: string;
  readonly input: unknown;
}

async function start(
  client: Client,
  taskQueue: string,
  { workflow, workflowId, input }: Run,
): Promise<Handle> {
  try {
    return await client.workflow.start(workflow, { taskQueue, workflowId, args: [input] });
  } catch (cause) {
    if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
    throw new FedloopError(
      'RoundInProgress',
      `the workflow ${workflowId} is running on this Temporal server already`,
      {
        hint: 'Wait for it or cancel it in Temporal’s UI, or unset TEMPORAL_ADDRESS to use a server of your own.',
        cause,
      },
    );
  }
}

/** Finished rounds; none if the worker is too busy to answer, which the next poll repeats. */
async function finishedRounds(handle: Handle): Promise<readonly FederatedRoundResult[]> {
  try {
    return trainingProgress.parse(await handle.query('progress')).finished;
  } catch {
    return [];
  }
}

function roundTitle(done: number, rounds: number): string {
  return `Round ${done + 1} of ${rounds}`;
}
