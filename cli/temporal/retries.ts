import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { type FleetNames } from '../../core/contracts/queues';

/** Once is chance: a worker that was restarted, a lost connection. */
const TOLD_FROM_ATTEMPT = 3;

/** What a server says of a run that has not ended; the shape of `describe().raw`, as far as it is read here. */
export interface PendingWork {
  readonly pendingWorkflowTask?: { readonly attempt?: number | null } | null;
  readonly pendingActivities?:
    | readonly {
        readonly activityType?: { readonly name?: string | null } | null;
        readonly attempt?: number | null;
        readonly lastFailure?: Failure | null;
      }[]
    | null;
}

interface Failure {
  readonly message?: string | null;
  readonly cause?: Failure | null;
}

/**
 * What the workflows of a fleet try again and again: a sentence for each. Temporal retries in silence, so that a round seems to be busy while nothing
 * of it moves.
 */
export async function readRetries(client: Client, names: FleetNames): Promise<readonly string[]> {
  const { roundId, trainingId, evaluationId, batchId, championId } = names;
  const ids = [roundId, trainingId, evaluationId, batchId, championId];
  const found = await Promise.all(ids.map((id) => retriesOf(client, id)));
  return found.flat();
}

async function retriesOf(client: Client, workflowId: string): Promise<readonly string[]> {
  try {
    const { status, raw } = await client.workflow.getHandle(workflowId).describe();
    return status.name === 'RUNNING' ? describeRetries(workflowId, raw) : [];
  } catch (thrown) {
    if (thrown instanceof WorkflowNotFoundError) return [];
    throw thrown;
  }
}

/** `fedloop-round: decide has failed 4 times, at last with: no disk space left; it is tried again`. */
export function describeRetries(workflowId: string, work: PendingWork): readonly string[] {
  const refused = (work.pendingWorkflowTask?.attempt ?? 1) - 1;
  const tasks =
    refused + 1 < TOLD_FROM_ATTEMPT
      ? []
      : [
          `${workflowId}: its workflow task has failed ${refused} times and is tried again; the log of the rounds worker says why`,
        ];
  const activities = (work.pendingActivities ?? []).flatMap(({ activityType, attempt, lastFailure }) =>
    lastFailure == null || (attempt ?? 1) < TOLD_FROM_ATTEMPT
      ? []
      : [
          `${workflowId}: ${activityType?.name ?? 'an activity'} has failed ${(attempt ?? 1) - 1} times, at last with: ${reasonOf(lastFailure)}; it is tried again`,
        ],
  );
  return [...tasks, ...activities];
}

/** The outermost sentence that says something. */
function reasonOf(failure: Failure): string {
  if (failure.message != null && failure.message !== '') return failure.message.replace(/[.\s]+$/, '');
  return failure.cause == null ? 'no reason given' : reasonOf(failure.cause);
}
