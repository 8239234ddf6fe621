import { Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { ROUND_WORKFLOW_ID } from '../core/contracts/queues';
import { HEARTBEAT_MS, withHeartbeat } from './shared/heartbeat';

/** Returns when the round that runs has ended, in whatever way, or at once when none does. */
export async function waitForTurn(): Promise<void> {
  const { client, cancelled } = Context.current();
  await withHeartbeat(HEARTBEAT_MS, () => Promise.race([cancelled, whenEnded(client)]));
}

async function whenEnded(client: Context['client']): Promise<void> {
  try {
    await client.workflow.getHandle(ROUND_WORKFLOW_ID).result();
  } catch (thrown) {
    // How the other round ended is its own affair.
    if (!(thrown instanceof WorkflowFailedError) && !(thrown instanceof WorkflowNotFoundError)) throw thrown;
  }
}
