import { Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { HEARTBEAT_MS, withHeartbeat } from './shared/heartbeat';

/**
 * Wait for the round lock: returns when the round that runs has ended, however it ended, or at once when none runs. Recorded histories
 * name this activity `waitForTurn`.
 */
export async function waitForTurn(roundId: string): Promise<void> {
  const { client, cancelled } = Context.current();
  await withHeartbeat(HEARTBEAT_MS, () => Promise.race([cancelled, whenEnded(client, roundId)]));
}

async function whenEnded(client: Context['client'], roundId: string): Promise<void> {
  try {
    await client.workflow.getHandle(roundId).result();
  } catch (thrown) {
    // A round that failed has ended too.
    if (!(thrown instanceof WorkflowFailedError) && !(thrown instanceof WorkflowNotFoundError)) throw thrown;
  }
}
