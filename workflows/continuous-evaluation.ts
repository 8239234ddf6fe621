import {
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  setWorkflowOptions,
  workflowInfo,
} from '@temporalio/workflow';
import {
  continuousEvaluationInputSchema,
  evaluationStateSchema,
  type EvaluationState,
} from '../core/contracts/evaluation';
import { EvaluationControl } from './evaluation-control';
import { ownFleet } from './fleet';
import { parseInput, refuse, takenAlong } from './input';
import { isLong } from './long-histories';
import { movesToCurrent } from './releases';

const startOfEvaluation: EvaluationState = {
  workers: [],
  champion: null,
  accuracy: null,
  predecessorAccuracy: null,
  persistenceAccuracy: null,
  checks: 0,
  rollbacks: 0,
  roundsAskedFor: 0,
  news: [],
  dealtWith: null,
  roundAskedAt: null,
  firstRoundAt: null,
  hasTrained: false,
};

/**
 * The live evaluation, for as long as the deployment lives. Every stream worker that joins has a lease. On a timer the champion is
 * compared with its predecessor and persistence, and rolled back when it falls behind; drift starts a round. The first round
 * starts by itself where the input says so. A pause stops the
 * checks; a cancellation drains the workers.
 */
export async function continuousEvaluation(rawInput?: unknown, rawState?: EvaluationState): Promise<void> {
  const input = parseInput(continuousEvaluationInputSchema, rawInput);
  const carried = takenAlong(evaluationStateSchema, rawState, startOfEvaluation);
  const { evaluationId } = ownFleet();
  if (workflowInfo().workflowId !== evaluationId)
    throw refuse(`a deployment has one evaluation: start it under the workflow id ${evaluationId}`);
  const control = new EvaluationControl(input, carried);
  try {
    for (;;) {
      if (await control.nextCheck()) await control.check();
      if (isLong()) {
        await condition(allHandlersFinished);
        return await continueAsNew<typeof continuousEvaluation>(control.settings, control.state);
      }
    }
  } catch (thrown) {
    if (isCancellation(thrown)) await control.drained();
    throw thrown;
  }
}
setWorkflowOptions(movesToCurrent, continuousEvaluation);
