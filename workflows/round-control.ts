import { condition, defineQuery, defineUpdate, setCurrentDetails, setHandler } from '@temporalio/workflow';
import {
  answerInputSchema,
  isRoundSetting,
  ROUND_SETTINGS,
  type RoundSetting,
} from '../core/contracts/control';
import { federatedRoundInputSchema, type FederatedRoundInput } from '../core/contracts/rounds';
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
import { describeProgress } from './details';
import { ChangingSettings } from './changing-settings';
import { parseInput, refuse } from './input';
import { Pausing } from './pausing';

export const progressQuery = defineQuery<RoundProgress>('progress');
export const scoreboardQuery = defineQuery<readonly ScoreboardEntry[]>('scoreboard');
const approveUpdate = defineUpdate<string, [unknown?]>('approve');
const rejectUpdate = defineUpdate<string, [unknown?]>('reject');

/** The last step that each setting can still be changed before. */
const USED_IN: Readonly<Record<RoundSetting, RoundStep>> = {
  minUpdates: 'train locals',
  windows: 'evaluate',
  windowsTimeout: 'evaluate',
  gate: 'evaluate',
  approval: 'decide',
  approvalTimeout: 'approve',
  approvalDefault: 'decide',
};

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

interface Answer {
  readonly approved: boolean;
  readonly reason: string;
}

/** How people watch and control a round: the queries for progress and scoreboard, the updates for pause, approval and settings. */
export class RoundControl {
  private progress: RoundProgress = { ...BEFORE_ALL, step: 'ask' };
  private scoreboard: readonly ScoreboardEntry[] = [];
  private answer: Answer | null = null;
  private readonly pausing = new Pausing(() => {
    this.show();
  });

  private readonly changing: ChangingSettings<typeof federatedRoundInputSchema>;

  constructor(start: FederatedRoundInput) {
    this.changing = new ChangingSettings({
      schema: federatedRoundInputSchema,
      start,
      names: ROUND_SETTINGS,
      holds: 'Change settings of later steps',
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

  /** Begin a step, after a pause if there is one, and report what is known by now. */
  async enter(step: RoundStep, known: Partial<RoundProgress> = {}): Promise<void> {
    this.report(known);
    await this.pausing.whenRunning();
    this.report({ step });
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
    this.report({
      accuracy: scores.find(({ version }) => version === elected)?.accuracy ?? null,
      change: pairedChange.mean,
    });
  }

  /** The gate's verdict, or a person's answer where the round asks for one. */
  async approved(verdict: DecideResult): Promise<DecideResult> {
    const isOpen = (): boolean => this.settings.approval === 'manual' && this.answer === null;
    if (verdict.decision !== 'promoted' || !isOpen()) return verdict;
    await this.enter('approve');
    const { approvalTimeout } = this.settings;
    const inTime = await condition(() => !isOpen(), durationMillis(approvalTimeout), {
      summary: `wait for approve or reject, at most ${approvalTimeout}`,
    });
    return withAnswer(verdict, inTime ? this.answer : defaultAnswer(this.settings));
  }

  private show(): void {
    this.progress = { ...this.progress, paused: this.pausing.reason() };
    setCurrentDetails(describeProgress(this.progress));
  }

  private acceptAnswers(): void {
    const validator = (raw?: unknown): void => {
      parseInput(answerInputSchema, raw);
      if (this.progress.step !== 'approve')
        throw refuse(`nobody is asked: the round is at "${this.progress.step}"`);
      if (this.answer !== null) throw refuse('it has been answered already');
    };
    setHandler(
      approveUpdate,
      (raw?: unknown) => {
        this.answer = { approved: true, reason: `approved${remarks(raw)}` };
        return 'Approved: the candidate is promoted.';
      },
      { description: 'Promote the candidate. Optional input: {"by": "…", "reason": "…"}.', validator },
    );
    setHandler(
      rejectUpdate,
      (raw?: unknown) => {
        this.answer = { approved: false, reason: `rejected by a person${remarks(raw)}` };
        return 'Rejected: the champion stays.';
      },
      { description: 'Keep the champion. Optional input: {"by": "…", "reason": "…"}.', validator },
    );
  }

  private isPast(step: RoundStep): boolean {
    return ROUND_STEPS.indexOf(this.progress.step) >= ROUND_STEPS.indexOf(step);
  }
}

/** The answer that the round's input gives when no person has answered in time. */
function defaultAnswer({ approvalTimeout, approvalDefault }: FederatedRoundInput): Answer {
  return {
    approved: approvalDefault === 'approve',
    reason: `nobody answered within ${approvalTimeout}, and the default is to ${approvalDefault}`,
  };
}

/** The gate's verdict stands when there is no answer, because the round no longer asks for one. */
function withAnswer(verdict: DecideResult, answer: Answer | null): DecideResult {
  if (answer === null) return verdict;
  return {
    decision: answer.approved ? verdict.decision : 'rejected',
    reason: `${answer.reason}; the gate: ${verdict.reason}`,
  };
}

function remarks(raw: unknown): string {
  const { by, reason } = parseInput(answerInputSchema, raw);
  return `${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : ` (${reason})`}`;
}
