import {
  allHandlersFinished,
  ApplicationFailure,
  condition,
  defineUpdate,
  ParentClosePolicy,
  patched,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { ROUND_UPDATES, type RoundAnswer, type RoundUpdate } from '../core/contracts/control';
import { type FederatedRoundInput, type FederatedRoundResult } from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import { type RoundProgress } from '../core/contracts/steps';
import { describeProgress } from './details';
import { causeFirst, isTimeout } from './failures';
import { refuse } from './input';
import { hearReports, REPORTS_TO_PARENT, ReportsToParent } from './reports';
import { outOfTime } from './round-clock';
import { BEFORE_ALL, progressQuery, scoreboardQuery } from './round-control';
import { lockSteps, turnSteps } from './steps';
import { rememberResult, startedBy, visibility } from './visibility';

/** The workflow `federatedRound` itself, which this file is a part of. */
type Round = (input: FederatedRoundInput) => Promise<FederatedRoundResult>;

/**
 * Acquire the round lock and run the round as a child; while another round has the lock, wait or refuse, by the input's `ifBusy`. Those
 * that wait get it in the order in which they were started.
 */
export async function runUnderLock(
  input: FederatedRoundInput,
  roundId: string,
): Promise<FederatedRoundResult> {
  const outer = new OuterRound(roundId);
  const { workflowId } = workflowInfo();
  for (;;) {
    try {
      const round = await startChild<Round>('federatedRound', {
        workflowId: roundId,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `round by ${workflowId}`,
        memo: { startedBy: `${startedBy()} as ${workflowId}`, ...REPORTS_TO_PARENT },
      });
      return await outer.follow(round);
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      if (input.ifBusy === 'refuse') {
        throw ApplicationFailure.create({
          type: 'RoundInProgress',
          message: 'another round is running; start again when it is done, or with {"ifBusy": "wait"}',
          nonRetryable: true,
        });
      }
      outer.waits();
      await waitForTurn(input.roundTimeout, roundId);
    }
  }
}

/** @throws ApplicationFailure `TimedOut` when it has waited for its `roundTimeout` */
async function waitForTurn(roundTimeout: string, roundId: string): Promise<void> {
  const { startTime } = workflowInfo();
  const left = startTime.getTime() + durationMillis(roundTimeout) - Date.now();
  try {
    // A wait that is over has the least time that an activity can have.
    await turnSteps(Math.max(1, left)).waitForTurn({ since: startTime.toISOString() });
  } catch (thrown) {
    if (!isTimeout(thrown, 'SCHEDULE_TO_CLOSE')) throw thrown;
    throw outOfTime(
      `other rounds have kept the round lock for this one's roundTimeout of ${roundTimeout}: look at the workflow ${roundId}, and start again when it has ended`,
    );
  }
}

/** A run that has a round as its child: how people watch it and speak to it. */
class OuterRound {
  private progress: RoundProgress = BEFORE_ALL;
  private round: ChildWorkflowHandle<Round> | undefined;
  private readonly parent = new ReportsToParent();

  constructor(private readonly roundId: string) {
    setHandler(progressQuery, () => this.progress);
    setHandler(scoreboardQuery, () => []);
    for (const update of ROUND_UPDATES) this.forward(update);
    hearReports(({ progress, details }) => {
      if (this.progress.step === 'done') return;
      this.show(progress, `${details}\n\n${this.whereToLook()}`);
      this.parent.sendOn({ progress, details });
    });
  }

  waits(): void {
    const details =
      'Another round is running; this one starts when it has ended, and those that were started before.';
    this.show(BEFORE_ALL, details);
    this.parent.send({ progress: BEFORE_ALL, details }, null);
  }

  private whereToLook(): string {
    return `The round runs as workflow \`${this.roundId}\`: look there for each of its steps. Updates sent here reach it.`;
  }

  private show(progress: RoundProgress, details: string): void {
    this.progress = progress;
    setCurrentDetails(details);
  }

  async follow(round: ChildWorkflowHandle<Round>): Promise<FederatedRoundResult> {
    this.round = round;
    // The round's first report may come together with the news that it has begun.
    if (this.progress.step === 'waiting') this.show({ ...BEFORE_ALL, step: 'running' }, this.whereToLook());
    const result = await round.result().catch((thrown: unknown) => {
      this.show(this.progress, 'The round has ended without a decision: the result of this run says why.');
      throw causeFirst(thrown);
    });
    await this.conclude(result);
    return result;
  }

  private async conclude(result: FederatedRoundResult): Promise<void> {
    const { round, version, champion, decision, candidate, pairedChange, updates } = result;
    this.progress = {
      ...this.progress,
      step: 'done',
      round,
      champion,
      candidate: version,
      devicesTrained: updates.trained,
      leftOut: updates.leftOut,
      accuracy: candidate.accuracy,
      change: pairedChange.mean,
      decision,
    };
    setCurrentDetails(
      describeProgress(this.progress, {
        startedBy: startedBy(),
        state: 'ended',
        change: pairedChange,
        approval: null,
      }),
    );
    rememberResult(result);
    if (patched('outer-rounds-are-searched')) {
      const { searchAttributes } = await lockSteps().namespaceFacts();
      visibility(searchAttributes).decided(version, decision, candidate.accuracy);
    }
    // The answer to an update that has ended the round is still on its way.
    await condition(allHandlersFinished);
  }

  private forward(update: RoundUpdate): void {
    const child = (): ChildWorkflowHandle<Round> => {
      if (this.round === undefined) throw refuse('the round has not begun: another one has the round lock');
      return this.round;
    };
    const isThere: (input?: unknown) => void = () => {
      child();
    };
    const handler = (input?: unknown): Promise<RoundAnswer> => tellRun(child(), update, input);
    setHandler(defineUpdate<RoundAnswer, [unknown?]>(update), handler, {
      description: `Sent on to ${this.roundId}, which answers.`,
      validator: isThere,
    });
  }
}

/** Send an update on to a child; a workflow cannot do so itself. @returns the child's answer @throws what it says when it refuses */
export async function tellRun(
  { workflowId, firstExecutionRunId }: Pick<ChildWorkflowHandle<Round>, 'workflowId' | 'firstExecutionRunId'>,
  update: RoundUpdate,
  input: unknown,
): Promise<RoundAnswer> {
  try {
    return await lockSteps().tellRun({ workflowId, firstExecutionRunId, update, input: input ?? {} });
  } catch (thrown) {
    throw causeFirst(thrown);
  }
}
