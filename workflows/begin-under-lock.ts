import { ParentClosePolicy, startChild, type ChildWorkflowHandle } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type FederatedRoundInput } from '../core/contracts/rounds';
import { federatedRound } from './federated-round';
import { ownFleet } from './fleet';
import { refitChampion } from './refit-champion';

/** What the evaluation starts. It outlives this run of the evaluation, which continues as new now and then. */
type Begun<Run extends (input?: unknown) => Promise<unknown>> = ChildWorkflowHandle<Run> | null;

/** Start a round under the workflow id that is the round lock. @returns null while another round, or a refit, has the lock */
export function beginRound(
  input: FederatedRoundInput,
  staticSummary: string,
): Promise<Begun<typeof federatedRound>> {
  return begin(federatedRound, ownFleet().roundId, input, staticSummary);
}

/** Start a round that waits for the round lock, as one that people start does. @returns null while an earlier one waits or runs */
export function beginWaitingRound(
  input: FederatedRoundInput,
  staticSummary: string,
): Promise<Begun<typeof federatedRound>> {
  const id = `${ownFleet().evaluationId}-round`;
  return begin(federatedRound, id, { ...input, ifBusy: 'wait' }, staticSummary);
}

/** Start a refit between rounds. @returns null while a round has the lock */
export function beginRefit(input: FederatedRoundInput): Promise<Begun<typeof refitChampion>> {
  return begin(refitChampion, ownFleet().roundId, input, 'a refit between rounds');
}

async function begin<Run extends (input?: unknown) => Promise<unknown>>(
  workflow: Run,
  workflowId: string,
  input: FederatedRoundInput,
  staticSummary: string,
): Promise<Begun<Run>> {
  try {
    return await startChild<(input?: unknown) => Promise<unknown>>(workflow, {
      workflowId,
      args: [input],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary,
    });
  } catch (thrown) {
    if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
    return null;
  }
}
