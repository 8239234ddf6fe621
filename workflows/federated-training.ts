import {
  ChildWorkflowFailure,
  continueAsNew,
  defineQuery,
  defineUpdate,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  setWorkflowOptions,
  sleep,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { TRAINING_SETTINGS, type RoundAnswer } from '../core/contracts/control';
import {
  federatedTrainingInputSchema,
  type FederatedRoundResult,
  type FederatedTrainingInput,
  type FederatedTrainingResult,
} from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import { type RoundReport, type ScoreboardEntry, type TrainingProgress } from '../core/contracts/steps';
import { describeRounds } from './details';
import { federatedRound } from './federated-round';
import { ChangingSettings } from './changing-settings';
import { causeFirst, causeOf } from './failures';
import { refuseLockedId } from './fleet';
import { parseInput, refuse, takenAlong } from './input';
import { ROUNDS_PER_RUN } from './limits';
import { Pausing } from './pausing';
import { hearReports, REPORTS_TO_PARENT } from './reports';
import { tellRun } from './round-lock';
import { movesToCurrent } from './releases';
import {
  reasonToStop,
  startOfTraining,
  trainingStateSchema,
  withFailure,
  withRound,
  type TrainingState,
} from './training-state';
import { startedBy } from './visibility';

const progressQuery = defineQuery<TrainingProgress>('progress');
const scoreboardQuery = defineQuery<readonly ScoreboardEntry[]>('scoreboard');

/**
 * Many rounds, one after the other, until all are done, the target is reached or they gain no more. Each waits for the round lock
 * like any other round. `rawState` is what a run takes along when it continues as new.
 */
export async function federatedTraining(
  rawInput?: unknown,
  rawState?: TrainingState,
): Promise<FederatedTrainingResult> {
  refuseLockedId();
  const carried = takenAlong(trainingStateSchema, rawState, startOfTraining);
  let state = carried;
  let child: ChildWorkflowHandle<typeof federatedRound> | undefined;
  let current: RoundReport | null = null;
  const finished: FederatedRoundResult[] = [];
  const show = (): void => {
    const next = `Round ${state.rounds + 1} of at most ${settings.value.rounds}.`;
    const rounds = describeRounds(finished, next, pausing.reason(), state.trouble ?? null);
    setCurrentDetails(current === null ? rounds : `${rounds}\n\n${current.details}`);
  };
  const settings = new ChangingSettings({
    schema: federatedTrainingInputSchema,
    start: parseInput(federatedTrainingInputSchema, rawInput),
    names: TRAINING_SETTINGS,
    holds: 'From the next round on',
    ...(carried.changes === undefined ? {} : { made: carried.changes }),
    onChange: show,
  });
  const pausing = new Pausing(show, null, () =>
    child === undefined
      ? 'Paused before the next round.'
      : 'Paused before the next round; the one that runs goes on. Pause fedloop-round to hold that.',
  );
  pausing.accept();
  setHandler(progressQuery, () => ({
    rounds: settings.value.rounds,
    paused: pausing.reason(),
    current: current?.progress ?? null,
    finished,
  }));
  hearReports((report) => {
    current = report;
    show();
  });
  setHandler(scoreboardQuery, () => finished.map(entryOf));
  settings.accept();
  for (const update of ANSWERS) sendOn(update, () => child);

  for (;;) {
    show();
    await pausing.whenRunning();
    const stopped = reasonToStop(state, settings.value);
    if (stopped !== null) return endOf(state, stopped);
    if (finished.length >= ROUNDS_PER_RUN || workflowInfo().continueAsNewSuggested)
      return continueAsNew<typeof federatedTraining>(settings.value, { ...state, changes: settings.changes });
    try {
      child = await startChild(federatedRound, {
        args: [settings.value.round],
        staticSummary: `round ${state.rounds + 1} of ${workflowInfo().workflowId}`,
        memo: { startedBy: `${startedBy()} as ${workflowInfo().workflowId}`, ...REPORTS_TO_PARENT },
      });
      const result = await child.result();
      finished.push(result);
      state = withRound(state, result);
    } catch (thrown) {
      state = await afterFailure(thrown, state, settings.value, (failed) => {
        state = failed;
        show();
      });
    }
    child = undefined;
    current = null;
  }
}

setWorkflowOptions(movesToCurrent, federatedTraining);

/** Answers to the question of a round; everything else that a training is told is meant for itself. */
const ANSWERS = ['approve', 'reject'] as const;

function sendOn(
  update: (typeof ANSWERS)[number],
  child: () => ChildWorkflowHandle<typeof federatedRound> | undefined,
): void {
  const running = (): ChildWorkflowHandle<typeof federatedRound> => {
    const round = child();
    if (round === undefined) throw refuse('no round of this training runs');
    return round;
  };
  const isThere: (input?: unknown) => void = () => {
    running();
  };
  const handler = (input?: unknown): Promise<RoundAnswer> => tellRun(running(), update, input);
  setHandler(defineUpdate<RoundAnswer, [unknown?]>(update), handler, {
    description: 'Sent on to the round that runs, which answers.',
    validator: isThere,
  });
}

/** What the settings say about a round that failed; whoever cancels a round, or the training, means it. @throws the failure, when training is over */
async function afterFailure(
  thrown: unknown,
  state: TrainingState,
  settings: FederatedTrainingInput,
  show: (state: TrainingState) => void,
): Promise<TrainingState> {
  if (isCancellation(thrown) || !(thrown instanceof ChildWorkflowFailure) || !patched('failed-rounds'))
    throw thrown;
  const { state: failed, isOver } = withFailure(state, causeOf(thrown).message, settings);
  if (isOver) {
    const inARow = failed.failedInARow ?? 1;
    throw causeFirst(thrown, inARow > 1 ? `${inARow} rounds in a row failed, the last one` : undefined);
  }
  show(failed);
  if (settings.onFailedRound === 'retry' && durationMillis(settings.failedRoundPause) > 0)
    await sleep(settings.failedRoundPause, { summary: 'pause after a failed round' });
  return failed;
}

function endOf(
  { last, rounds, failed }: TrainingState,
  stopped: FederatedTrainingResult['stopped'],
): FederatedTrainingResult {
  return { ...last, rounds, stopped, ...(failed === undefined ? {} : { failed }) };
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
