import {
  continueAsNew,
  defineQuery,
  executeChild,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { TRAINING_SETTINGS } from '../core/contracts/control';
import {
  federatedTrainingInputSchema,
  type FederatedRoundResult,
  type FederatedTrainingResult,
} from '../core/contracts/rounds';
import { type ScoreboardEntry, type TrainingProgress } from '../core/contracts/steps';
import { describeRounds } from './details';
import { federatedRound } from './federated-round';
import { ChangingSettings } from './changing-settings';
import { parseInput } from './input';
import { ROUNDS_PER_RUN } from './limits';
import { Pausing } from './pausing';
import { reasonToStop, startOfTraining, withRound, type TrainingState } from './training-state';

const progressQuery = defineQuery<TrainingProgress>('progress');
const scoreboardQuery = defineQuery<readonly ScoreboardEntry[]>('scoreboard');

/**
 * Many rounds, one after the other, until all are done, the target is reached or they gain no more. Each waits for the round lock
 * like any other round. `carried` is the state that a run takes along when it continues as new.
 */
export async function federatedTraining(
  rawInput?: unknown,
  carried: TrainingState = startOfTraining,
): Promise<FederatedTrainingResult> {
  let state = carried;
  const finished: FederatedRoundResult[] = [];
  const show = (): void => {
    const next = `Round ${state.rounds + 1} of at most ${settings.value.rounds}.`;
    setCurrentDetails(describeRounds(finished, next, pausing.reason()));
  };
  const settings = new ChangingSettings({
    schema: federatedTrainingInputSchema,
    start: parseInput(federatedTrainingInputSchema, rawInput),
    names: TRAINING_SETTINGS,
    holds: 'From the next round on',
    ...(carried.changes === undefined ? {} : { made: carried.changes }),
    onChange: show,
  });
  const pausing = new Pausing(show);
  pausing.accept();
  setHandler(progressQuery, () => ({ rounds: settings.value.rounds, paused: pausing.reason(), finished }));
  setHandler(scoreboardQuery, () => finished.map(entryOf));
  settings.accept();

  for (;;) {
    show();
    await pausing.whenRunning();
    const stopped = reasonToStop(state, settings.value);
    if (stopped !== null) return { ...state.last, rounds: state.rounds, stopped };
    if (finished.length >= ROUNDS_PER_RUN || workflowInfo().continueAsNewSuggested)
      return continueAsNew<typeof federatedTraining>(settings.value, { ...state, changes: settings.changes });
    const result = await executeChild(federatedRound, {
      args: [settings.value.round],
      staticSummary: `round ${state.rounds + 1} of ${workflowInfo().workflowId}`,
    });
    finished.push(result);
    state = withRound(state, result);
  }
}

function entryOf({
  round,
  version,
  candidate,
  pairedChange,
  decision,
}: FederatedRoundResult): ScoreboardEntry {
  return {
    round,
    version,
    accuracy: candidate.accuracy,
    change: pairedChange.mean,
    evaluations: candidate.evaluations,
    decision,
  };
}
