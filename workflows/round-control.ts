import {
  condition,
  defineQuery,
  defineUpdate,
  patched,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow';
import { z } from 'zod';
import {
  answerInputSchema,
  isRoundSetting,
  ROUND_SETTINGS,
  settingsChangeSchema,
  type RoundSetting,
} from '../core/contracts/control';
import { federatedRoundInputSchema, type FederatedRoundInput, type Interval } from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import {
  ROUND_STEPS,
  type DecideResult,
  type EvaluateResult,
  type RoundProgress,
  type RoundStep,
  type ScoreboardEntry,
} from '../core/contracts/steps';
import { type VersionId } from '../core/contracts/ids';
import { acknowledge, type Answer, defaultAnswer, remarks, type TakenAnswer, withAnswer } from './answers';
import { describeProgress } from './details';
import { ChangingSettings } from './changing-settings';
import { parseInput, refuse } from './input';
import { Pausing } from './pausing';
import { ReportsToParent } from './reports';
import { RoundClock } from './round-clock';
import { startedBy } from './visibility';

export const progressQuery = defineQuery<RoundProgress>('progress');
export const scoreboardQuery = defineQuery<readonly ScoreboardEntry[]>('scoreboard');
const approveUpdate = defineUpdate<string, [unknown?]>('approve');
const rejectUpdate = defineUpdate<string, [unknown?]>('reject');

/** The last step that each setting can still be changed before. */
const USED_IN: Readonly<Record<RoundSetting, RoundStep>> = {
  minUpdates: 'train locals',
  windows: 'evaluate',
  maxWindows: 'evaluate',
  windowsTimeout: 'evaluate',
  gate: 'evaluate',
  approval: 'decide',
  approvalTimeout: 'decide',
  approvalDefault: 'decide',
  roundTimeout: 'decide',
};

/** They wait for live windows and for a person, which have limits of their own. */
const UNTIMED: readonly RoundStep[] = ['evaluate', 'approve'];

/** Nothing known yet. */
export const BEFORE_ALL: RoundProgress = {
  round: null,
  step: 'waiting',
  paused: null,
  waitsFor: null,
  champion: null,
  candidate: null,
  devicesTrained: null,
  leftOut: {},
  accuracy: null,
  change: null,
  decision: null,
};

/** What a round that waits for windows takes along when it continues as new: what people have told it. */
export const toldRoundSchema = z.strictObject({
  paused: z.string().nullable(),
  changes: z.array(settingsChangeSchema).readonly(),
  /** Milliseconds that it has worked for; missing in a run of an earlier release. */
  worked: z.number().min(0).optional(),
});
export type ToldRound = Readonly<z.infer<typeof toldRoundSchema>>;

/** How people watch and control a round: the queries for progress and scoreboard, the updates for pause, approval and settings. */
export class RoundControl {
  private progress: RoundProgress = { ...BEFORE_ALL, step: 'ask' };
  private scoreboard: readonly ScoreboardEntry[] = [];
  private answer: Answer | null = null;
  /** The gate's sentence, and until when a person may answer; null while nobody is asked. */
  private asked: { readonly gate: string; readonly deadline: number | null } | null = null;
  private change: Interval | null = null;
  private hasEnded = false;
  private isBetweenSteps = false;
  private readonly startedBy = startedBy();
  private readonly parent = new ReportsToParent();
  private readonly clock: RoundClock;
  private readonly pausing: Pausing;
  private readonly changing: ChangingSettings<typeof federatedRoundInputSchema>;

  constructor(start: FederatedRoundInput, told: ToldRound) {
    this.clock = new RoundClock(told.worked ?? 0);
    this.pausing = new Pausing(
      () => {
        this.show();
      },
      told.paused,
      () => effectOfPause(this.progress.step),
    );
    this.changing = new ChangingSettings({
      schema: federatedRoundInputSchema,
      start,
      names: ROUND_SETTINGS,
      holds: 'Change settings of later steps',
      made: told.changes,
      mayChange: (name) => {
        if (isRoundSetting(name) && this.isPast(USED_IN[name]))
          throw refuse(`${name}: too late, the round is at "${this.progress.step}"`);
      },
      onChange: () => {
        this.show();
      },
    });
    this.pausing.accept();
    setHandler(progressQuery, () => this.progress, {
      description: 'The step that runs and what is known by now.',
    });
    setHandler(scoreboardQuery, () => this.scoreboard, {
      description: 'Champion and candidates on the round’s live windows.',
    });
    this.acceptAnswers();
    this.changing.accept();
  }

  /** The round's input with the changes made by now. */
  get settings(): FederatedRoundInput {
    return this.changing.value;
  }

  get told(): ToldRound {
    return { paused: this.pausing.reason(), changes: this.changing.changes, worked: this.clock.millis };
  }

  /** The step that runs. */
  get step(): RoundStep {
    return this.progress.step;
  }

  /**
   * Begin a step, after a pause if there is one, and report what is known by now.
   * @throws ApplicationFailure `TimedOut` when the round has worked for its `roundTimeout`
   */
  async enter(step: RoundStep, known: Partial<RoundProgress> = {}): Promise<void> {
    this.isBetweenSteps = true;
    this.report(known);
    await this.pausing.whenRunning();
    this.requireTime();
    this.isBetweenSteps = false;
    this.report({ step });
  }

  /** @throws ApplicationFailure `TimedOut`; a round that is paused has all the time. */
  requireTime(): void {
    if (this.pausing.reason() === null) this.clock.requireTime(this.settings.roundTimeout);
  }

  /** It has a result, or has failed: nobody is asked any more. */
  ended(): void {
    this.clock.ended();
    this.asked = null;
    this.hasEnded = true;
    setCurrentDetails(this.describe());
  }

  report(known: Partial<RoundProgress>): void {
    this.progress = { ...this.progress, ...known };
    this.show();
  }

  /** Report what the live windows showed, also for the query `scoreboard`. */
  reportScores(
    { scores, pairedChange, verdict }: EvaluateResult,
    champion: VersionId,
    elected: VersionId,
  ): void {
    this.scoreboard = scores.map(({ version, accuracy, evaluations }) => ({
      round: this.progress.round,
      version,
      accuracy,
      change: version === champion ? null : version === elected ? pairedChange.mean : null,
      evaluations,
      decision: version === champion ? 'champion' : version === elected ? verdict.decision : 'kept',
    }));
    this.change = pairedChange;
    this.report({
      accuracy: scores.find(({ version }) => version === elected)?.accuracy ?? null,
      change: pairedChange.mean,
    });
  }

  /** The gate's verdict, or a person's answer where the round asks for one. */
  async approved(verdict: DecideResult): Promise<DecideResult> {
    const isOpen = (): boolean => this.settings.approval === 'manual' && this.answer === null;
    if (verdict.decision !== 'promoted' || !isOpen()) return verdict;
    this.asked = { gate: verdict.reason, deadline: null };
    await this.enter('approve');
    const inTime = patched('approval-clock-stops')
      ? await this.answered(isOpen)
      : await condition(() => !isOpen(), durationMillis(this.settings.approvalTimeout));
    this.asked = null;
    return withAnswer(verdict, inTime ? this.answer : defaultAnswer(this.settings));
  }

  /** Wait for an answer. The clock stands still while the round is paused, and goes by `approvalTimeout` as it is set by then. */
  private async answered(isOpen: () => boolean): Promise<boolean> {
    let used = 0;
    while (isOpen() || this.pausing.reason() !== null) {
      this.setDeadline(null);
      await this.pausing.whenRunning();
      const { approvalTimeout } = this.settings;
      const left = durationMillis(approvalTimeout) - used;
      if (!isOpen()) break;
      if (left <= 0) return false;
      const began = Date.now();
      this.setDeadline(began + left);
      const isHeldUp = (): boolean =>
        !isOpen() || this.pausing.reason() !== null || this.settings.approvalTimeout !== approvalTimeout;
      await condition(isHeldUp, left, { summary: `wait for approve or reject, at most ${approvalTimeout}` });
      used += Date.now() - began;
    }
    return true;
  }

  private setDeadline(deadline: number | null): void {
    if (this.asked !== null) this.asked = { ...this.asked, deadline };
    this.show();
  }

  private show(): void {
    this.progress = { ...this.progress, paused: this.pausing.reason() };
    this.clock.run(this.progress.paused === null && !UNTIMED.includes(this.progress.step));
    this.clock.publish(this.settings.roundTimeout);
    const details = this.describe();
    setCurrentDetails(details);
    const asked = this.answer === null ? this.asked : null;
    // Before a question has its deadline it is half the news.
    if (asked !== null && asked.deadline === null && this.progress.paused === null) return;
    this.parent.send({ progress: this.progress, details }, asked?.deadline ?? null);
  }

  private describe(): string {
    const asked = this.answer === null ? this.asked : null;
    return describeProgress(this.progress, {
      startedBy: this.startedBy,
      state: this.hasEnded ? 'ended' : this.isBetweenSteps ? 'between steps' : 'in a step',
      change: this.change,
      approval: asked && { ...asked, byDefault: this.settings.approvalDefault },
    });
  }

  private acceptAnswers(): void {
    const validator = (raw?: unknown): void => {
      parseInput(answerInputSchema, raw);
      if (this.asked === null) throw refuse(`nobody is asked: the round is at "${this.progress.step}"`);
      if (this.answer !== null) throw refuse('it has been answered already');
    };
    setHandler(
      approveUpdate,
      (raw?: unknown) =>
        acknowledge(this.take({ approved: true, reason: `approved${remarks(raw)}` }), this.progress.champion),
      { description: 'Promote the candidate. Optional input: {"by": "…", "reason": "…"}.', validator },
    );
    setHandler(
      rejectUpdate,
      (raw?: unknown) =>
        acknowledge(
          this.take({ approved: false, reason: `rejected${remarks(raw)}` }),
          this.progress.champion,
        ),
      { description: 'Keep the champion. Optional input: {"by": "…", "reason": "…"}.', validator },
    );
  }

  private take(answer: Answer): TakenAnswer {
    this.answer = answer;
    setCurrentDetails(this.describe());
    return { ...answer, isPaused: this.pausing.reason() !== null };
  }

  private isPast(step: RoundStep): boolean {
    return ROUND_STEPS.indexOf(this.progress.step) >= ROUND_STEPS.indexOf(step);
  }
}

/** What a pause does from a step on, said to whoever asks for it. */
function effectOfPause(step: RoundStep): string {
  if (step === 'approve')
    return 'Paused: the time for an answer stands still, and an answer waits for resume.';
  if (ROUND_STEPS.indexOf(step) >= ROUND_STEPS.indexOf('decide'))
    return 'Paused after the decision that is being made: it is carried out, and the round ends with it.';
  return `Paused before the next step; "${step}" is finished first.`;
}
