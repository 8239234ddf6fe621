import {
  continueAsNew,
  defineQuery,
  executeChild,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { federatedTrainingInputSchema, type FederatedRoundResult } from '../core/contracts/rounds';
import { type TrainingProgress } from '../core/contracts/steps';
import { federatedRound } from './federated-round';
import { parseInput } from './input';
import { ROUNDS_PER_RUN } from './limits';

export const trainingProgressQuery = defineQuery<TrainingProgress>('progress');

/** Many rounds, one after the other; each waits for its turn like any other round. */
export async function federatedTraining(rawInput?: unknown): Promise<readonly FederatedRoundResult[]> {
  const input = parseInput(federatedTrainingInputSchema, rawInput);
  const finished: FederatedRoundResult[] = [];
  setHandler(trainingProgressQuery, () => ({ rounds: input.rounds, finished }));
  while (finished.length < input.rounds) {
    if (finished.length === ROUNDS_PER_RUN) {
      return continueAsNew<typeof federatedTraining>({ ...input, rounds: input.rounds - finished.length });
    }
    setCurrentDetails(`Round ${finished.length + 1} of ${input.rounds} is running.`);
    finished.push(await executeChild(federatedRound, { args: [input.round] }));
  }
  return finished;
}
