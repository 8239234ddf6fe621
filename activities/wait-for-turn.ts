import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import { HEARTBEAT_MS, withHeartbeat } from './shared/heartbeat';

export interface TurnInput {
  /** When the run that waits was started, ISO 8601: those that were started before it go first. */
  readonly since: string;
}

/** Between two looks at who else waits; the list of workflows is up to a second behind. */
const LOOK_EVERY_MS = 500;
/** A run that was started before, and does not take its turn for so long, takes none: it may be about to end, or nobody runs its workflow. */
const PRECEDENCE_MS = 10_000;

/**
 * Wait for the round lock: returns when the round that runs has ended, however it ended, and no run that was started before waits for it too; or at once when
 * none runs. Recorded histories name this activity `waitForTurn`.
 */
export async function waitForTurn(
  roundId: string,
  taskQueue: string,
  input: TurnInput | undefined,
): Promise<void> {
  const { client, cancelled } = Context.current();
  const wait = async (): Promise<void> => {
    do await whenEnded(client, roundId);
    while (input !== undefined && (await othersTurn(client, roundId, taskQueue, input)));
  };
  await withHeartbeat(HEARTBEAT_MS, () => Promise.race([cancelled, wait()]));
}

async function whenEnded(client: Context['client'], roundId: string): Promise<void> {
  try {
    await client.workflow.getHandle(roundId).result();
  } catch (thrown) {
    // A round that failed has ended too.
    if (!(thrown instanceof WorkflowFailedError) && !(thrown instanceof WorkflowNotFoundError)) throw thrown;
  }
}

/** @returns true when another run took the lock; false when it is this one's turn. */
async function othersTurn(
  client: Context['client'],
  roundId: string,
  taskQueue: string,
  { since }: TurnInput,
): Promise<boolean> {
  const { cancellationSignal } = Context.current();
  for (let waited = 0; waited < PRECEDENCE_MS; waited += LOOK_EVERY_MS) {
    if (!(await isAnyoneBefore(client, roundId, taskQueue, since))) return false;
    await sleep(LOOK_EVERY_MS, undefined, { signal: cancellationSignal });
    if (await isRunning(client, roundId)) return true;
  }
  return false;
}

async function isRunning(client: Context['client'], roundId: string): Promise<boolean> {
  try {
    return (await client.workflow.getHandle(roundId).describe()).status.name === 'RUNNING';
  } catch (thrown) {
    if (thrown instanceof WorkflowNotFoundError) return false;
    throw thrown;
  }
}

async function isAnyoneBefore(
  client: Context['client'],
  roundId: string,
  taskQueue: string,
  since: string,
): Promise<boolean> {
  const query = `WorkflowType = "federatedRound" AND ExecutionStatus = "Running" AND TaskQueue = "${taskQueue}" AND StartTime <= "${since}"`;
  const own = Context.current().info.workflowExecution?.workflowId;
  for await (const { workflowId, startTime } of client.workflow.list({ query })) {
    if (workflowId === roundId || workflowId === own) continue;
    // Of two that were started in the same instant, the first by name.
    if (startTime.toISOString() < since || workflowId < (own ?? '')) return true;
  }
  return false;
}
