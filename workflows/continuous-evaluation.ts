import {
  ActivityFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  askedRollbackSchema,
  continuousEvaluationInputSchema,
  evaluationSettingsSchema,
  joinSchema,
  type ContinuousEvaluationInput,
  type EvaluationProgress,
  type EvaluationSettings,
  type EvaluationState,
} from '../core/contracts/evaluation';
import { FEDLOOP, type ChampionChange, type ChampionCheck } from '../core/contracts/live-checks';
import { EVALUATION_WORKFLOW_ID, ROUND_WORKFLOW_ID } from '../core/contracts/queues';
import { durationMillis } from '../core/contracts/settings';
import { describeEvaluation } from './details';
import { federatedRound } from './federated-round';
import { parseInput, refuse } from './input';
import { Leases } from './leases';
import { EVENTS_PER_RUN, NEWS_KEPT } from './limits';
import { Pausing } from './pausing';
import { evaluationSteps } from './steps';

export const joinSignal = defineSignal<[unknown]>('join');
export const evaluationProgressQuery = defineQuery<EvaluationProgress>('progress');
export const evaluationScoreboardQuery = defineQuery<ChampionCheck | null>('scoreboard');
export const rollbackUpdate = defineUpdate<ChampionChange, [unknown?]>('rollback');
export const changeEvaluationUpdate = defineUpdate<EvaluationSettings, [unknown?]>('changeSettings');

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
};

/**
 * The live evaluation under Temporal's eye, for as long as the deployment lives: every stream worker that joins holds a lease; on a timer
 * the champion is held against its predecessor and persistence, is rolled back when it falls behind, and drift asks for a round. Pausing
 * holds the checks; cancelling drains the workers.
 */
export async function continuousEvaluation(
  rawInput?: unknown,
  carried: EvaluationState = startOfEvaluation,
): Promise<void> {
  const input = parseInput(continuousEvaluationInputSchema, rawInput);
  if (workflowInfo().workflowId !== EVALUATION_WORKFLOW_ID)
    throw refuse(`a deployment has one evaluation: start it under the workflow id ${EVALUATION_WORKFLOW_ID}`);
  const evaluation = openEvaluation(input, carried);
  try {
    for (;;) {
      await evaluation.nextCheck();
      await evaluation.check();
      const { continueAsNewSuggested, historyLength } = workflowInfo();
      if (continueAsNewSuggested || historyLength > EVENTS_PER_RUN) {
        await condition(allHandlersFinished);
        return await continueAsNew<typeof continuousEvaluation>(evaluation.settings(), evaluation.state());
      }
    }
  } catch (thrown) {
    if (isCancellation(thrown)) await evaluation.drained();
    throw thrown;
  }
}

interface Evaluation {
  settings(): ContinuousEvaluationInput;
  state(): EvaluationState;
  /** Resolves when the next check is due and nobody holds it. */
  nextCheck(): Promise<void>;
  check(): Promise<void>;
  /** Resolves when no worker holds a lease any more. */
  drained(): Promise<void>;
}

/** Leases, checks, and what people see and say. */
function openEvaluation(input: ContinuousEvaluationInput, carried: EvaluationState): Evaluation {
  let settings = input;
  let state = carried;
  let latest: ChampionCheck | null = null;
  let settingsChanged = false;
  const steps = evaluationSteps();

  const show = (): void => {
    setCurrentDetails(describeEvaluation(progress()));
  };
  const learn = (known: Partial<EvaluationState>): void => {
    state = { ...state, ...known };
    show();
  };
  /** The same thing is told once, however often a check says it. */
  const tell = (what: string, known: Partial<EvaluationState> = {}): void => {
    const told = state.news.at(-1)?.what === what;
    const news = told ? state.news : [...state.news, { at: new Date().toISOString(), what }];
    learn({ ...known, news: news.slice(-NEWS_KEPT) });
  };
  const pausing = new Pausing(show);
  const leases = new Leases({
    granted: (worker) => {
      tell(`${worker} evaluates`);
    },
    ended: (worker, why) => {
      tell(`${worker} ${why}`);
    },
  });
  const current = (): EvaluationState => ({ ...state, workers: leases.workers });
  const progress = (): EvaluationProgress => ({ ...current(), paused: pausing.reason() });

  pausing.accept();
  setHandler(joinSignal, (raw) => {
    leases.grant(parseInput(joinSchema, raw).worker);
  });
  setHandler(evaluationProgressQuery, progress, { description: 'Workers, champion and what happened.' });
  setHandler(evaluationScoreboardQuery, () => latest, {
    description: 'The last check: champion beside its predecessor and persistence.',
  });
  setHandler(
    changeEvaluationUpdate,
    (raw?: unknown) => {
      const changes = parseInput(evaluationSettingsSchema, raw);
      settings = parseInput(continuousEvaluationInputSchema, { ...settings, ...changes });
      settingsChanged = true;
      return changes;
    },
    {
      description: 'From the next check on: checkEvery, check, rollback, onDrift, driftPause, round.',
      validator: (raw?: unknown) => {
        if (Object.keys(parseInput(evaluationSettingsSchema, raw)).length === 0)
          throw refuse('name a setting: checkEvery, check, rollback, onDrift, driftPause, round');
      },
    },
  );
  setHandler(
    rollbackUpdate,
    async (raw?: unknown) => {
      const asked = parseInput(askedRollbackSchema, raw);
      const version = asked.version ?? state.champion;
      if (version === null) throw refuse('version: no check has seen a champion yet; name it');
      const { to, reason, by } = asked;
      const change = await steps.rollback({ version, reason, by, ...(to === undefined ? {} : { to }) });
      rolledBack(change);
      return change;
    },
    {
      description: 'Take the champion out of service. Optional: {"version", "to", "reason", "by"}.',
      validator: (raw?: unknown) => {
        const { version } = parseInput(askedRollbackSchema, raw);
        if (version === undefined && state.champion === null)
          throw refuse('version: no check has seen a champion yet; name it');
      },
    },
  );
  for (const worker of carried.workers) leases.grant(worker);
  show();

  function rolledBack({ champion, previous, changed, reason }: ChampionChange): void {
    if (!changed) tell(reason, { champion });
    else
      tell(`rolled back ${previous ?? 'the champion'} to ${champion}: ${reason}`, {
        champion,
        rollbacks: state.rollbacks + 1,
      });
  }

  async function dealWith(check: ChampionCheck, asksForRound: string | null): Promise<void> {
    const { verdict, champion } = check;
    if (verdict.action === 'rollback') {
      if (settings.rollback === 'off') tell(`${champion} should go: ${verdict.reason} (rollback is off)`);
      else
        rolledBack(
          await steps.rollback({ version: champion, to: verdict.to, reason: verdict.reason, by: FEDLOOP }),
        );
    }
    if (asksForRound === null) return;
    if (settings.onDrift === 'off') tell(`drift: ${asksForRound} (rounds on drift are off)`);
    else await askForRound(asksForRound);
  }

  async function askForRound(reason: string): Promise<void> {
    const now = Date.now();
    if (state.roundAskedAt !== null && now - state.roundAskedAt < durationMillis(settings.driftPause)) {
      tell(
        `drift: ${reason}; the last round that drift asked for began less than ${settings.driftPause} ago`,
      );
      return;
    }
    try {
      await startChild(federatedRound, {
        workflowId: ROUND_WORKFLOW_ID,
        args: [settings.round],
        // The round outlives this run of the evaluation, which continues as new now and then.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: 'a round that drift asked for',
      });
      tell(`drift: ${reason}; a round has begun`, {
        roundAskedAt: now,
        roundsAskedFor: state.roundsAskedFor + 1,
      });
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      tell(`drift: ${reason}; a round is running already`);
    }
  }

  return {
    settings: () => settings,
    state: current,
    async nextCheck() {
      settingsChanged = false;
      const summary = `next live check in ${settings.checkEvery}`;
      while (await condition(() => settingsChanged, durationMillis(settings.checkEvery), { summary }))
        settingsChanged = false;
      await pausing.whenRunning();
    },
    async check() {
      try {
        const result = await steps.checkChampion({ settings: settings.check, dealtWith: state.dealtWith });
        learn({ checks: state.checks + 1 });
        if (result.outcome !== 'judged') {
          learn({ champion: result.champion });
          return;
        }
        const { check, asksForRound } = result;
        latest = check;
        const { champion, accuracy, predecessorAccuracy, persistenceAccuracy } = check;
        learn({ champion, accuracy, predecessorAccuracy, persistenceAccuracy });
        await dealWith(check, asksForRound);
        learn({ dealtWith: check.windows.until });
      } catch (thrown) {
        // A check that fails must not end the watch; the next one looks at the same windows.
        if (isCancellation(thrown) || !(thrown instanceof ActivityFailure)) throw thrown;
        tell(`a check failed: ${thrown.cause?.message ?? thrown.message}`);
      }
    },
    drained: () => leases.allEnded(),
  };
}
