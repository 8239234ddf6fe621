import { Context } from '@temporalio/activity';

/** As the server counts `UpdateAdmittedEventOrigin`. */
const REAPPLIED = 1;

/**
 * Whether a reset of the workflow that runs this activity has repeated the update. Temporal does so with every update behind the point of the reset, with nothing
 * in it to tell it from a new one, though what it asked for was carried out in the run before.
 */
export async function isRepeatedByReset(updateId: string): Promise<boolean> {
  const { client, info } = Context.current();
  const { workflowId, runId } = info.workflowExecution ?? {};
  if (workflowId === undefined) return false;
  const { events } = await client.workflow.getHandle(workflowId, runId).fetchHistory();
  return (events ?? []).some(({ workflowExecutionUpdateAdmittedEventAttributes: admitted }) => {
    const isReapplied = Number(admitted?.origin) === REAPPLIED;
    return isReapplied && admitted?.request?.meta?.updateId === updateId;
  });
}
