import { randomUUID } from 'node:crypto';
import { type Client, type WorkflowHandle } from '@temporalio/client';

/** Steps of a round, by their activities, that change nothing for good. */
export const BEFORE_DECISION = [
  'ask',
  'describeSite',
  'select',
  'trainLocals',
  'scoreLocals',
  'aggregate',
  'sumPanels',
  'refit',
  'scoreProposals',
  'deploy',
  'evaluate',
] as const;

/** Reset a run to the moment when a step was about to begin, as Temporal's UI does. @returns a handle of the new run */
export async function resetTo(
  client: Client,
  workflow: WorkflowHandle,
  activity: string,
): Promise<WorkflowHandle> {
  const { events } = await workflow.fetchHistory();
  const scheduled = events?.find(
    ({ activityTaskScheduledEventAttributes: known }) => known?.activityType?.name === activity,
  )?.activityTaskScheduledEventAttributes;
  const { runId } = await workflow.describe();
  const reset = await client.workflowService.resetWorkflowExecution({
    namespace: client.options.namespace,
    workflowExecution: { workflowId: workflow.workflowId, runId },
    reason: `a test of the step ${activity}`,
    workflowTaskFinishEventId: scheduled?.workflowTaskCompletedEventId ?? null,
    requestId: randomUUID(),
  });
  return client.workflow.getHandle(workflow.workflowId, reset.runId);
}
