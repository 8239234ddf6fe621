import { condition, defineQuery, defineUpdate, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { answerInputSchema, roundSettingsSchema, type RoundSettings } from '../core/contracts/control';
import { type FederatedRoundInput } from '../core/contracts/rounds';
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
import { parseInput, refuse } from './input';
import { Pausing } from './pausing';

export const progressQuery = defineQuery<RoundProgress>('progress');
export const scoreboardQuery = defineQuery<readonly ScoreboardEntry[]>('scoreboard');
export const approveUpdate = defineUpdate<string, [unknown?]>('approve');
export const rejectUpdate = defineUpdate<string, [unknown?]>('reject');
export const changeSettingsUpdate = defineUpdate<RoundSettings, [unknown?]>('changeSettings');

/** The last step that each setting can still be changed before. */
const USED_IN: Readonly<Record<keyof RoundSettings, RoundStep>> = {
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

/** Where people see a round and steer it: progress and scoreboard, pause, approval, settings. */
export class RoundDesk {
  private progress: RoundProgress = { ...BEFORE_ALL, step: 'ask' };
  private scoreboard: readonly ScoreboardEntry[] = [];
  private answer: Answer | null = null;
  private readonly pausing = new Pausing(() => {
    this.show();
  });

  constructor(private input: FederatedRoundInput) {
    this.pausing.accept();
    setHandler(progressQuery, () => this.progress, {
      description: 'The step that runs and what is known by now.',
    });
    setHandler(scoreboardQuery, () => this.scoreboard, {
      description: 'Champion and candidates on the round’s live windows.',
    });
    this.acceptAnswers();
    this.acceptSettings();
  }

  /** Settings as they are by now. */
  get settings(): FederatedRoundInput {
    return this.input;
  }

  /** Begin a step, after a pause if there is one, and tell what is known by now. */
  async enter(step: RoundStep, known: Partial<RoundProgress> = {}): Promise<void> {
    this.tell(known);
    await this.pausing.whenRunning();
    this.tell({ step });
  }

  tell(known: Partial<RoundProgress>): void {
    this.progress = { ...this.progress, ...known };
    this.show();
  }

  /** What the live windows said: the query `scoreboard`. */
  measured({ scores, pairedChange, verdict }: EvaluateResult, champion: VersionId, elected: VersionId): void {
    this.scoreboard = scores.map(({ version, accuracy, evaluations }) => ({
      round: this.progress.round,
      version,
      accuracy,
      change: version === champion ? null : version === elected ? pairedChange.mean : null,
      evaluations,
      decision: version === champion ? 'champion' : version === elected ? verdict.decision : 'kept',
    }));
    this.tell({
      accuracy: scores.find(({ version }) => version === elected)?.accuracy ?? null,
      change: pairedChange.mean,
    });
  }

  /** The gate's verdict, or a person's where one is asked. */
  async approved(verdict: DecideResult): Promise<DecideResult> {
    const asked = (): boolean => this.input.approval === 'manual' && this.answer === null;
    if (verdict.decision !== 'promoted' || !asked()) return verdict;
    await this.enter('approve');
    const { approvalTimeout } = this.input;
    const inTime = await condition(() => !asked(), durationMillis(approvalTimeout), {
      summary: `wait for approve or reject, at most ${approvalTimeout}`,
    });
    return answered(verdict, inTime ? this.answer : silence(this.input));
  }

  private show(): void {
    this.progress = { ...this.progress, paused: this.pausing.reason() };
    setCurrentDetails(describeProgress(this.progress));
  }

  private acceptAnswers(): void {
    const validator = (raw?: unknown): void => {
      parseInput(answerInputSchema, raw);
      const { step } = this.progress;
      if (step !== 'approve') throw refuse(`nobody is asked: the round is at "${step}"`);
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

  private acceptSettings(): void {
    setHandler(
      changeSettingsUpdate,
      (raw?: unknown) => {
        const changes = parseInput(roundSettingsSchema, raw);
        this.input = { ...this.input, ...defined(changes) };
        return changes;
      },
      {
        description: `Change what later steps go by: ${Object.keys(USED_IN).join(', ')}.`,
        validator: (raw?: unknown) => {
          const names = settingNames(parseInput(roundSettingsSchema, raw));
          if (names.length === 0) throw refuse(`name a setting: ${Object.keys(USED_IN).join(', ')}`);
          const { step } = this.progress;
          for (const name of names) {
            if (ROUND_STEPS.indexOf(step) >= ROUND_STEPS.indexOf(USED_IN[name]))
              throw refuse(`${name}: too late, the round is at "${step}"`);
          }
        },
      },
    );
  }
}

/** Nobody spoke in time: what the round's input says of that holds. */
function silence({ approvalTimeout, approvalDefault }: FederatedRoundInput): Answer {
  return {
    approved: approvalDefault === 'approve',
    reason: `nobody answered within ${approvalTimeout}, and the default is to ${approvalDefault}`,
  };
}

/** Without an answer, because nobody is asked any more, the gate's word holds. */
function answered(verdict: DecideResult, answer: Answer | null): DecideResult {
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

function settingNames(changes: RoundSettings): readonly (keyof RoundSettings)[] {
  return roundSettingsSchema.keyof().options.filter((name) => changes[name] !== undefined);
}

/** Only what was named: an absent setting must not overwrite one. */
function defined(changes: RoundSettings): Partial<FederatedRoundInput> {
  return Object.fromEntries(settingNames(changes).map((name) => [name, changes[name]]));
}
