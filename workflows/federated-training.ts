import {
  continueAsNew,
  defineQuery,
  defineUpdate,
  executeChild,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { trainingSettingsChangeSchema, type TrainingSettingsChange } from '../core/contracts/control';
import {
  federatedTrainingInputSchema,
  type FederatedRoundResult,
  type FederatedTrainingInput,
  type FederatedTrainingResult,
} from '../core/contracts/rounds';
import { type ScoreboardEntry, type TrainingProgress } from '../core/contracts/steps';
import { describeRounds } from './details';
import { federatedRound } from './federated-round';
import { parseInput, refuse } from './input';
import { ROUNDS_PER_RUN } from './limits';
import { Pausing } from './pausing';
import { reasonToStop, startOfTraining, withRound, type TrainingState } from './training-state';

const progressQuery = defineQuery<TrainingProgress>('progress');
const scoreboardQuery = defineQuery<readonly ScoreboardEntry[]>('scoreboard');
const changeSettingsUpdate = defineUpdate<TrainingSettingsChange, [unknown?]>('changeSettings');

/**
 * Many rounds, one after the other, until all are done, the target is reached or they gain no more. Each waits for the round lock
 * like any other round. `carried` is the state that a run takes along when it continues as new.
 */
export async function federatedTraining(
  rawInput?: unknown,
  carried: TrainingState = startOfTraining,
): Promise<FederatedTrainingResult> {
  let input = parseInput(federatedTrainingInputSchema, rawInput);
  let state = carried;
  const finished: FederatedRoundResult[] = [];
  const show = (): void => {
    const next = `Round ${state.rounds + 1} of at most ${input.rounds}.`;
    setCurrentDetails(describeRounds(finished, next, pausing.reason()));
  };
  const pausing = new Pausing(show);
  pausing.accept();
  setHandler(progressQuery, () => ({ rounds: input.rounds, paused: pausing.reason(), finished }));
  setHandler(scoreboardQuery, () => finished.map(entryOf));
  setHandler(
    changeSettingsUpdate,
    (raw?: unknown) => {
      const changes = parseInput(trainingSettingsChangeSchema, raw);
      input = changed(input, changes);
      show();
      return changes;
    },
    {
      description: 'From the next round on: rounds, targetAccuracy, plateau, round.',
      validator: (raw?: unknown) => {
        if (Object.keys(parseInput(trainingSettingsChangeSchema, raw)).length === 0)
          throw refuse('name a setting: rounds, targetAccuracy, plateau, round');
      },
    },
  );

  for (;;) {
    show();
    await pausing.whenRunning();
    const stopped = reasonToStop(state, input);
    if (stopped !== null) return { ...state.last, rounds: state.rounds, stopped };
    if (finished.length >= ROUNDS_PER_RUN || workflowInfo().continueAsNewSuggested)
      return continueAsNew<typeof federatedTraining>(input, state);
    const result = await executeChild(federatedRound, {
      args: [input.round],
      staticSummary: `round ${state.rounds + 1} of ${workflowInfo().workflowId}`,
    });
    finished.push(result);
    state = withRound(state, result);
  }
}

function changed(input: FederatedTrainingInput, changes: TrainingSettingsChange): FederatedTrainingInput {
  return {
    rounds: changes.rounds ?? input.rounds,
    round: changes.round ?? input.round,
    ...optional('targetAccuracy', changes.targetAccuracy, input.targetAccuracy),
    ...optional('plateau', changes.plateau, input.plateau),
  };
}

/** A stopping rule that may be set, left as it was (undefined) or removed (null). */
function optional<Name extends string, Value>(
  name: Name,
  next: Value | null | undefined,
  before: Value | undefined,
): Partial<Record<Name, Value>> {
  const value = next === undefined ? before : (next ?? undefined);
  return value === undefined ? {} : ({ [name]: value } as Record<Name, Value>);
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
