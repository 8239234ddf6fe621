import {
  ActivityFailure,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  requestedRollbackSchema,
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
import { durationMillis } from '../core/contracts/settings';
import { describeEvaluation } from './details';
import { federatedRound } from './federated-round';
import { ownFleet } from './fleet';
import { parseInput, refuse } from './input';
import { Leases } from './leases';
import { NEWS_KEPT } from './limits';
import { Pausing } from './pausing';
import { evaluationSteps } from './steps';

const joinSignal = defineSignal<[unknown]>('join');
const progressQuery = defineQuery<EvaluationProgress>('progress');
const scoreboardQuery = defineQuery<ChampionCheck | null>('scoreboard');
const rollbackUpdate = defineUpdate<ChampionChange, [unknown?]>('rollback');
const changeSettingsUpdate = defineUpdate<EvaluationSettings, [unknown?]>('changeSettings');

const SETTING_NAMES = 'checkEvery, check, rollback, onDrift, driftPause, round';

/** The live evaluation: leases of the stream workers, checks of the champion, and how people watch and control both. */
export class EvaluationControl {
  private latest: ChampionCheck | null = null;
  private settingsChanged = false;
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
    private known: EvaluationState,
  ) {
    this.pausing.accept();
    setHandler(joinSignal, (raw) => {
      this.leases.grant(parseInput(joinSchema, raw).worker);
    });
    setHandler(progressQuery, () => this.progress(), { description: 'Workers, champion and what happened.' });
    setHandler(scoreboardQuery, () => this.latest, {
      description: 'The last check: champion beside its predecessor and persistence.',
    });
    this.acceptSettings();
    this.acceptRollback();
    for (const worker of known.workers) this.leases.grant(worker);
    this.show();
  }

  /** The input with the changes made by now; it goes along when the workflow continues as new. */
  get settings(): ContinuousEvaluationInput {
    return this.input;
  }

  /** The state that a run takes along when it continues as new. */
  get state(): EvaluationState {
    return { ...this.known, workers: this.leases.workers };
  }

  /** Resolves when the next check is due and the workflow is not paused. */
  async nextCheck(): Promise<void> {
    this.settingsChanged = false;
    const summary = `next live check in ${this.input.checkEvery}`;
    const changed = (): boolean => this.settingsChanged;
    while (await condition(changed, durationMillis(this.input.checkEvery), { summary }))
      this.settingsChanged = false;
    await this.pausing.whenRunning();
  }

  async check(): Promise<void> {
    try {
      const { dealtWith, checks } = this.known;
      const result = await this.steps.checkChampion({ settings: this.input.check, dealtWith });
      this.update({ checks: checks + 1 });
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
      // A check that fails must not end the workflow; the next one looks at the same windows.
      if (isCancellation(thrown) || !(thrown instanceof ActivityFailure)) throw thrown;
      this.report(`a check failed: ${thrown.cause?.message ?? thrown.message}`);
    }
  }

  /** Resolves when no worker has a lease any more. */
  drained(): Promise<void> {
    return this.leases.allEnded();
  }

  private progress(): EvaluationProgress {
    return { ...this.state, paused: this.pausing.reason() };
  }

  private show(): void {
    setCurrentDetails(describeEvaluation(this.progress()));
  }

  private update(changes: Partial<EvaluationState>): void {
    this.known = { ...this.known, ...changes };
    this.show();
  }

  /** Add an event to the news, once, however often a check finds it. */
  private report(what: string, changes: Partial<EvaluationState> = {}): void {
    const { news } = this.known;
    const added = news.at(-1)?.what === what ? news : [...news, { at: new Date().toISOString(), what }];
    this.update({ ...changes, news: added.slice(-NEWS_KEPT) });
  }

  private acceptSettings(): void {
    setHandler(
      changeSettingsUpdate,
      (raw?: unknown) => {
        const changes = parseInput(evaluationSettingsSchema, raw);
        this.input = parseInput(continuousEvaluationInputSchema, { ...this.input, ...changes });
        this.settingsChanged = true;
        return changes;
      },
      {
        description: `From the next check on: ${SETTING_NAMES}.`,
        validator: (raw?: unknown) => {
          if (Object.keys(parseInput(evaluationSettingsSchema, raw)).length === 0)
            throw refuse(`name a setting: ${SETTING_NAMES}`);
        },
      },
    );
  }

  private acceptRollback(): void {
    const versionOf = (named: VersionId | undefined): VersionId => {
      const version = named ?? this.known.champion;
      if (version === null) throw refuse('version: no check has seen a champion yet; name it');
      return version;
    };
    setHandler(
      rollbackUpdate,
      async (raw?: unknown) => {
        const { version, to, reason, by } = parseInput(requestedRollbackSchema, raw);
        const change = await this.steps.rollback({
          version: versionOf(version),
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
          versionOf(parseInput(requestedRollbackSchema, raw).version);
        },
      },
    );
  }

  private reportRollback({ champion, previous, changed, reason }: ChampionChange): void {
    if (!changed) this.report(reason, { champion });
    else
      this.report(`rolled back ${previous ?? 'the champion'} to ${champion}: ${reason}`, {
        champion,
        rollbacks: this.known.rollbacks + 1,
      });
  }

  /** Carry out a check's verdict: roll the champion back, and start a round on drift, as far as the settings allow it. */
  private async act({ verdict, champion }: ChampionCheck, asksForRound: string | null): Promise<void> {
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
    const { roundAskedAt, roundsAskedFor } = this.known;
    const { driftPause, round } = this.input;
    if (roundAskedAt !== null && now - roundAskedAt < durationMillis(driftPause)) {
      this.report(`drift: ${reason}; the last round that drift asked for began less than ${driftPause} ago`);
      return;
    }
    try {
      await startChild(federatedRound, {
        workflowId: ownFleet().roundId,
        args: [round],
        // The round outlives this run of the evaluation, which continues as new now and then.
        parentClosePolicy: ParentClosePolicy.ABANDON,
        staticSummary: 'a round that drift asked for',
      });
      this.report(`drift: ${reason}; a round has begun`, {
        roundAskedAt: now,
        roundsAskedFor: roundsAskedFor + 1,
      });
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      this.report(`drift: ${reason}; a round is running already`);
    }
  }
}
