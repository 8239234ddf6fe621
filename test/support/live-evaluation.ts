import { type WorkflowHandle } from '@temporalio/client';
import { type EvaluationProgress } from '../../core/contracts/evaluation';
import { STREAM_WORKER, type WorkflowWorld } from './workflow-world';
import { NAMES } from './names';

/** Start the evaluation as a stream worker does. */
export function joinEvaluation({ client }: WorkflowWorld, input: object = {}): Promise<WorkflowHandle> {
  return client.workflow.signalWithStart('continuousEvaluation', {
    workflowId: NAMES.evaluationId,
    taskQueue: NAMES.roundsQueue,
    args: [{ checkEvery: '100ms', ...input }],
    signal: 'join',
    signalArgs: [{ worker: STREAM_WORKER }],
  });
}

/** Ask until the evaluation says what is awaited. */
export async function untilProgress(
  evaluation: WorkflowHandle,
  is: (progress: EvaluationProgress) => boolean,
): Promise<EvaluationProgress> {
  for (;;) {
    const progress = await evaluation.query<EvaluationProgress>('progress');
    if (is(progress)) return progress;
    await new Promise((wake) => setTimeout(wake, 30));
  }
}
