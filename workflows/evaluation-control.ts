import {
  ActivityFailure,
  condition,
  currentUpdateInfo,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { ApplicationFailure } from '@temporalio/common';
import {
  continuousEvaluationInputSchema,
  joinSchema,
  type ContinuousEvaluationInput,
  type EvaluationProgress,
  type EvaluationState,
} from '../core/contracts/evaluation';
import { type VersionId } from '../core/contracts/ids';
import {
  FEDLOOP,
  type ChampionChange,
  type ChampionCheck,
  type RollbackInput,
} from '../core/contracts/live-checks';
import { durationMillis } from '../core/contracts/settings';
import { ChangingSettings, describeChange } from './changing-settings';
import { describeEvaluation } from './details';
import { Leases } from './leases';
import { mustGoOn } from './long-histories';
import { NEWS_KEPT } from './limits';
import { Pausing } from './pausing';
import { rollbackByHand } from './rollback-by-hand';
import { RoundsAskedFor } from './rounds-asked-for';
import { evaluationSteps } from './steps';

const joinSignal = defineSignal<[unknown]>('join');
const progressQuery = defineQuery<EvaluationProgress>('progress');
const scoreboardQuery = defineQuery<ChampionCheck | null>('scoreboard');
const rollbackUpdate = defineUpdate<ChampionChange, [unknown?]>('rollback');

/** Of a champion that no check has judged yet. */
const NOT_MEASURED = {
  accuracy: null,
  predecessorAccuracy: null,
  persistenceAccuracy: null,
} as const satisfies Partial<EvaluationState>;

const NO_WORKER = 'passed over a signal "join" that names no worker';

/** The live evaluation: leases of the stream workers, checks of the champion, and how people watch and control both. */
export class EvaluationControl {
  private latest: ChampionCheck | null = null;
  private settingsChanged = false;
  private readonly steps = evaluationSteps();
  private readonly pausing: Pausing;
  private readonly changing: ChangingSettings<typeof continuousEvaluationInputSchema>;
  private readonly rounds = new RoundsAskedFor({
    settings: () => this.settings,
    known: () => this.known,
    report: (what, changes) => {
      this.report(what, changes);
    },
    update: (changes) => {
      this.update(changes);
    },
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
    start: ContinuousEvaluationInput,
    private known: EvaluationState,
  ) {
    this.pausing = new Pausing(() => {
      this.show();
    }, known.paused);
    this.changing = new ChangingSettings({
      schema: continuousEvaluationInputSchema,
      start,
      names: Object.keys(continuousEvaluationInputSchema.shape),
      holds: 'From the next check on',
      ...(known.changes === undefined ? {} : { made: known.changes }),
      onChange: (change) => {
        this.settingsChanged = true;
        this.report(describeChange(change));
      },
    });
    this.pausing.accept();
    setHandler(joinSignal, (raw) => {
      this.join(raw);
    });
    setHandler(progressQuery, () => this.progress(), { description: 'Workers, champion and what happened.' });
    setHandler(scoreboardQuery, () => this.latest, {
      description: 'The last check: champion beside its predecessor and persistence.',
    });
    this.changing.accept();
    this.acceptRollback();
    for (const worker of known.workers) this.leases.keep(worker);
    this.show();
  }

  /** The input with the changes made by now; it goes along when the workflow continues as new. */
  get settings(): ContinuousEvaluationInput {
    return this.changing.value;
  }

  /** The state that a run takes along when it continues as new. */
  get state(): EvaluationState {
    const { changes } = this.changing;
    return { ...this.known, workers: this.leases.workers, paused: this.pausing.reason(), changes };
  }

  /**
   * Resolves when the next check is due, or when the history has become long: leases alone make it so in weeks of a pause.
   * @returns false when there is none to make, because the workflow is paused.
   */
  async nextCheck(): Promise<boolean> {
    const summary = `next live check in ${this.settings.checkEvery}`;
    do this.settingsChanged = false;
    while (
      (await condition(() => this.settingsChanged || mustGoOn(), durationMillis(this.settings.checkEvery), {
        summary,
      })) &&
      this.hasNewSettings()
    );
    const isPaused = (): boolean => this.pausing.reason() !== null;
    if (isPaused()) await condition(() => !isPaused() || mustGoOn());
    return !isPaused();
  }

  /** A method, so that the compiler does not believe it unchanged across an await. */
  private hasNewSettings(): boolean {
    return this.settingsChanged;
  }

  async check(): Promise<void> {
    try {
      const { dealtWith, checks } = this.known;
      const refit = this.rounds.wantedRefit();
      const result = await this.steps.checkChampion({ settings: this.settings.check, dealtWith, ...refit });
      this.update({ checks: checks + 1 });
      this.noteChampion(result.outcome === 'judged' ? result.check.champion : result.champion);
      if (result.outcome === 'judged') {
        const { check, asksForRound, asksForRefit } = result;
        this.latest = check;
        const { champion, accuracy, predecessorAccuracy, persistenceAccuracy } = check;
        this.update({ champion, accuracy, predecessorAccuracy, persistenceAccuracy });
        await this.act(check, asksForRound);
        if (asksForRefit !== undefined) await this.rounds.startRefit(asksForRefit, check.windows.until);
        this.update({ dealtWith: check.windows.until });
      }
      await this.rounds.startFirstRound();
    } catch (thrown) {
      // A check that fails, or that no worker takes, must not end the workflow; the next one looks at the same windows.
      const isFailedStep = thrown instanceof ActivityFailure || thrown instanceof ApplicationFailure;
      if (isCancellation(thrown) || !isFailedStep) throw thrown;
      this.report(`a check failed: ${thrown.cause?.message ?? thrown.message}`);
    }
  }

  /** Resolves when no worker has a lease any more. */
  drained(): Promise<void> {
    return this.leases.allEnded();
  }

  private progress(): EvaluationProgress {
    return { ...this.known, workers: this.leases.workers, paused: this.pausing.reason() };
  }

  private show(): void {
    setCurrentDetails(describeEvaluation(this.progress()));
  }

  /** A round, or a person, may have made another version champion since the last look. */
  private noteChampion(champion: VersionId | null): void {
    const before = this.known.champion;
    if (before === null || champion === null || before === champion) this.update({ champion });
    else this.report(`${champion} serves instead of ${before}`, { champion });
  }

  private update(changes: Partial<EvaluationState>): void {
    const { champion } = this.known;
    // Figures are of the champion that was checked: they must not stand under another one's name.
    const isOther = changes.champion !== undefined && changes.champion !== champion;
    this.known = { ...this.known, ...(isOther ? NOT_MEASURED : {}), ...changes };
    this.show();
  }

  /** Add an event to the news, once, however often a check finds it. */
  private report(what: string, changes: Partial<EvaluationState> = {}): void {
    const { news } = this.known;
    const added = news.at(-1)?.what === what ? news : [...news, { at: new Date().toISOString(), what }];
    this.update({ ...changes, news: added.slice(-NEWS_KEPT) });
  }

  /** A signal has no answer, so that one that fits no schema is said in the news: it must not end the evaluation. */
  private join(raw: unknown): void {
    const joining = joinSchema.safeParse(raw);
    if (joining.success) this.leases.grant(joining.data.worker);
    else if (this.known.news.at(-1)?.what !== NO_WORKER) {
      log.warn(NO_WORKER);
      this.report(NO_WORKER);
    }
  }

  private acceptRollback(): void {
    const asked = (raw: unknown): RollbackInput =>
      rollbackByHand(raw, this.known.champion, this.pausing.reason() !== null);
    setHandler(
      rollbackUpdate,
      async (raw?: unknown) => {
        const change = await this.steps.rollback(asked(raw), currentUpdateInfo()?.id);
        this.reportRollback(change);
        return change;
      },
      {
        description: 'Take the champion out of service. Optional: {"version", "to", "reason", "by"}.',
        validator: (raw?: unknown) => {
          asked(raw);
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
      if (this.settings.rollback === 'off') this.report(`${champion} should go: ${reason} (rollback is off)`);
      else this.reportRollback(await this.steps.rollback({ version: champion, to, reason, by: FEDLOOP }));
    }
    if (asksForRound === null) return;
    if (this.settings.onDrift === 'off') this.report(`drift: ${asksForRound} (rounds on drift are off)`);
    else await this.rounds.startOnDrift(asksForRound);
  }
}
