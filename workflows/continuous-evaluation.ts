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
import { type z } from 'zod';
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
import { type VersionId } from '../core/contracts/ids';
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
  const evaluation = new Evaluation(input, carried);
  try {
    for (;;) {
      await evaluation.nextCheck();
      await evaluation.check();
      const { continueAsNewSuggested, historyLength } = workflowInfo();
      if (continueAsNewSuggested || historyLength > EVENTS_PER_RUN) {
        await condition(allHandlersFinished);
        return await continueAsNew<typeof continuousEvaluation>(evaluation.settings, evaluation.state);
      }
    }
  } catch (thrown) {
    if (isCancellation(thrown)) await evaluation.drained();
    throw thrown;
  }
}

/** Leases and checks, and the signal, updates and queries that people steer and see them by. */
class Evaluation {
  private settingsChanged = false;
  private latest: ChampionCheck | null = null;
  private readonly steps = evaluationSteps();
  private readonly pausing = new Pausing(() => {
    this.show();
  });
  private readonly leases = new Leases({
    granted: (worker) => {
      this.report(`${worker} evaluates`);
    },
    ended: (worker, why) => {
      this.report(`${worker} ${why}`);
    },
  });

  constructor(
    private input: ContinuousEvaluationInput,
    private current: EvaluationState,
  ) {
    this.pausing.accept();
    setHandler(joinSignal, (raw) => {
      this.leases.grant(parseInput(joinSchema, raw).worker);
    });
    setHandler(evaluationProgressQuery, () => this.progress(), {
      description: 'Workers, champion and what happened.',
    });
    setHandler(evaluationScoreboardQuery, () => this.latest, {
      description: 'The last check: champion beside its predecessor and persistence.',
    });
    this.acceptSettings();
    this.acceptRollbacks();
    for (const worker of current.workers) this.leases.grant(worker);
    this.show();
  }

  get settings(): ContinuousEvaluationInput {
    return this.input;
  }

  /** What the next run of this workflow goes on from. */
  get state(): EvaluationState {
    return { ...this.current, workers: this.leases.workers };
  }

  /** Resolves when the next check is due and the workflow is not paused. */
  async nextCheck(): Promise<void> {
    this.settingsChanged = false;
    const { checkEvery } = this.input;
    const summary = `next live check in ${checkEvery}`;
    while (await condition(() => this.settingsChanged, durationMillis(this.input.checkEvery), { summary }))
      this.settingsChanged = false;
    await this.pausing.whenRunning();
  }

  async check(): Promise<void> {
    try {
      const { dealtWith } = this.current;
      const result = await this.steps.checkChampion({ settings: this.input.check, dealtWith });
      this.update({ checks: this.current.checks + 1 });
      if (result.outcome !== 'judged') {
        this.update({ champion: result.champion });
        return;
      }
      const { check, asksForRound } = result;
      this.latest = check;
      const { champion, accuracy, predecessorAccuracy, persistenceAccuracy } = check;
      this.update({ champion, accuracy, predecessorAccuracy, persistenceAccuracy });
      await this.act(check, asksForRound);
      this.update({ dealtWith: check.windows.until });
    } catch (thrown) {
      // A check that fails must not end the watch; the next one looks at the same windows.
      if (isCancellation(thrown) || !(thrown instanceof ActivityFailure)) throw thrown;
      this.report(`a check failed: ${thrown.cause?.message ?? thrown.message}`);
    }
  }

  /** Resolves when no worker holds a lease any more. */
  drained(): Promise<void> {
    return this.leases.allEnded();
  }

  private acceptSettings(): void {
    setHandler(
      changeEvaluationUpdate,
      (raw?: unknown) => {
        const changes = parseInput(evaluationSettingsSchema, raw);
        this.input = parseInput(continuousEvaluationInputSchema, { ...this.input, ...changes });
        this.settingsChanged = true;
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
  }

  private acceptRollbacks(): void {
    const versionOf = ({ version }: z.infer<typeof askedRollbackSchema>): VersionId => {
      const named = version ?? this.current.champion;
      if (named === null) throw refuse('version: no check has seen a champion yet; name it');
      return named;
    };
    setHandler(
      rollbackUpdate,
      async (raw?: unknown) => {
        const asked = parseInput(askedRollbackSchema, raw);
        const { to, reason, by } = asked;
        const version = versionOf(asked);
        const change = await this.steps.rollback({
          version,
          reason,
          by,
          ...(to === undefined ? {} : { to }),
        });
        this.reportRollback(change);
        return change;
      },
      {
        description: 'Take the champion out of service. Optional: {"version", "to", "reason", "by"}.',
        validator: (raw?: unknown) => {
          versionOf(parseInput(askedRollbackSchema, raw));
        },
      },
    );
  }

  private async act(check: ChampionCheck, asksForRound: string | null): Promise<void> {
    const { verdict, champion } = check;
    if (verdict.action === 'rollback') {
      const { to, reason } = verdict;
      if (this.input.rollback === 'off') this.report(`${champion} should go: ${reason} (rollback is off)`);
      else this.reportRollback(await this.steps.rollback({ version: champion, to, reason, by: FEDLOOP }));
    }
    if (asksForRound === null) return;
    if (this.input.onDrift === 'off') this.report(`drift: ${asksForRound} (rounds on drift are off)`);
    else await this.startRound(asksForRound);
  }

  private async startRound(reason: string): Promise<void> {
    const now = Date.now();
    const { roundAskedAt } = this.current;
    const { driftPause } = this.input;
    if (roundAskedAt !== null && now - roundAskedAt < durationMillis(driftPause)) {
      this.report(`drift: ${reason}; the last round that drift asked for began less than ${driftPause} ago`);
      return;
    }
    try {
      await startChild(federatedRound, {
        workflowId: ROUND_WORKFLOW_ID,
        args: [this.input.round],
        // The round outlives this run of the evaluation, which continues as new now and then.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: 'a round that drift asked for',
      });
      this.report(`drift: ${reason}; a round has begun`, {
        roundAskedAt: now,
        roundsAskedFor: this.current.roundsAskedFor + 1,
      });
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      this.report(`drift: ${reason}; a round is running already`);
    }
  }

  private reportRollback({ champion, previous, changed, reason }: ChampionChange): void {
    if (!changed) this.report(reason, { champion });
    else
      this.report(`rolled back ${previous ?? 'the champion'} to ${champion}: ${reason}`, {
        champion,
        rollbacks: this.current.rollbacks + 1,
      });
  }

  /** Add to the news, unless the last of them says the same: every check may say it again. */
  private report(what: string, known: Partial<EvaluationState> = {}): void {
    const { news } = this.current;
    const isKnown = news.at(-1)?.what === what;
    const all = isKnown ? news : [...news, { at: new Date().toISOString(), what }];
    this.update({ ...known, news: all.slice(-NEWS_KEPT) });
  }

  private update(known: Partial<EvaluationState>): void {
    this.current = { ...this.current, ...known };
    this.show();
  }

  private show(): void {
    setCurrentDetails(describeEvaluation(this.progress()));
  }

  private progress(): EvaluationProgress {
    return { ...this.state, paused: this.pausing.reason() };
  }
}
