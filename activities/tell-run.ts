import { Context } from '@temporalio/activity';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { type RoundAnswer, type ToldRun } from '../core/contracts/control';
import { FedloopError, messageOf } from '../core/contracts/errors';

/**
 * Send an update on to a run: a workflow cannot send one itself. A run that was reset since is the same.
 * @throws FedloopError `InvalidInput` with what the run answered, when it refuses; `NotFound` when it has ended.
 */
export async function tellRun({
  workflowId,
  firstExecutionRunId,
  update,
  input,
}: ToldRun): Promise<RoundAnswer> {
  const handle = Context.current().client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId });
  try {
    return await handle.executeUpdate<RoundAnswer, [unknown]>(update, { args: [input] });
  } catch (thrown) {
    if (thrown instanceof WorkflowUpdateFailedError)
      throw new FedloopError('InvalidInput', messageOf(thrown.cause ?? thrown), { cause: thrown });
    if (thrown instanceof WorkflowNotFoundError)
      throw new FedloopError('NotFound', `${workflowId} has ended, and takes no update any more`);
    throw thrown;
  }
}
