import { ParentClosePolicy, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type FederatedRoundInput } from '../core/contracts/rounds';
import { ownFleet } from './fleet';

/**
 * Start a round, or a refit between rounds, from the evaluation under the workflow id that is the round lock.
 * @returns false while another one has the lock
 */
export async function beginUnderLock(
  workflow: (input?: unknown) => Promise<unknown>,
  input: FederatedRoundInput,
  staticSummary: string,
): Promise<boolean> {
  try {
    await startChild(workflow, {
      workflowId: ownFleet().roundId,
      args: [input],
      // It outlives this run of the evaluation, which continues as new now and then.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary,
    });
    return true;
  } catch (thrown) {
    if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
    return false;
  }
}
