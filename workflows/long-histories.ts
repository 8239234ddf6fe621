import { patched, workflowInfo } from '@temporalio/workflow';
import { EVENTS_PER_RUN } from './limits';

/** Whether the history is so long that the workflow has to continue as new. */
export function isLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength > EVENTS_PER_RUN;
}

/** The same, while it waits; runs of earlier releases waited on. */
export function mustGoOn(): boolean {
  return isLong() && patched('long-waits-go-on');
}
