import { Context } from '@temporalio/activity';
import { type RoundAnswer, type ToldRun } from '../core/contracts/control';
import { type ContributionPlan, type ContributionResult } from '../core/contracts/contribution';
import { type VersionId } from '../core/contracts/ids';
import { type ChampionChange, type PromoteInput, type RollbackInput } from '../core/contracts/live-checks';
import {
  type AggregateResult,
  type AskInput,
  type AskResult,
  type DecideInput,
  type DecideResult,
  type RoundPlan,
  type RoundRef,
  type Selection,
  type DeployResult,
  type Trained,
  type WithdrawInput,
} from '../core/contracts/steps';
import { type RefitBegun, type RefitDeployment } from '../core/contracts/refits';
import { type Deployments } from '../core/model/deployments';
import { inTurn } from '../core/platform/in-turn';
import { type Producer } from '../core/platform/kafka';
import { aggregate } from './aggregate';
import { ask } from './ask';
import { notRepeated, promote, rollback } from './change-champion';
import { contribute } from './contribute';
import { decide, withdraw } from './decide';
import { deploy } from './deploy';
import { deployFirstVersion } from './first-version';
import { refit } from './refit';
import { deployRefit, proposeChampion } from './refit-champion';
import { select, type SelectInput } from './select';
import { tellRun } from './tell-run';
import { waitForTurn, type TurnInput } from './wait-for-turn';
import { withFailureCodes } from './shared/failures';
import { type FeedbackLog } from './shared/feedback-log';
import { type LatestModel } from './shared/latest-model';
import { longStep, type Brokers } from './shared/long-step';
import { isRepeatedByReset } from './shared/repeated-update';
import { type UpdateInbox } from './shared/update-inbox';

export interface RoundsDependencies {
  readonly brokers: Brokers;
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
  readonly feedback: FeedbackLog;
  /** The workflow id that is the round lock. */
  readonly roundId: string;
  /** The task queue of rounds. */
  readonly roundsQueue: string;
  readonly latestModel: Pick<LatestModel, 'publish'>;
  /** Whether the namespace knows Fedloop's search attributes. */
  readonly searchAttributes: boolean;
  /** Folder of strategies of one's own that rounds may name; undefined: none. */
  readonly strategies?: string | undefined;
}

/** The activities of the rounds worker: all steps of a round that need neither readings nor tables. */
export interface RoundsActivities {
  ask(input?: AskInput): Promise<AskResult>;
  deployFirstVersion(input: RoundRef & { readonly seed: number }): Promise<VersionId>;
  select(input: SelectInput): Promise<Selection>;
  aggregate(
    plan: RoundPlan,
    trained: Trained,
    scoredTo: number,
    evidence: readonly number[],
  ): Promise<AggregateResult>;
  refit(plan: RoundPlan): Promise<readonly string[]>;
  contribute(plan: RoundPlan, trainedTo: number, planned: ContributionPlan): Promise<ContributionResult>;
  /** @param linearEvidence absent where a running workflow does not pass it on */
  deploy(
    plan: RoundPlan,
    aggregated: AggregateResult,
    evidence: readonly number[],
    linearEvidence?: readonly number[],
  ): Promise<DeployResult>;
  /** A refit between rounds begins. */
  proposeChampion(plan: RoundPlan): Promise<RefitBegun>;
  deployRefit(plan: RoundPlan): Promise<RefitDeployment>;
  decide(input: DecideInput): Promise<DecideResult>;
  withdraw(input: WithdrawInput): Promise<void>;
  /** Take the champion out of service; its predecessor serves again. @param updateId of the update that asks for it */
  rollback(input: RollbackInput, updateId?: string): Promise<ChampionChange>;
  /** Make a version champion for a person. */
  promote(input: PromoteInput): Promise<ChampionChange>;
  waitForTurn(input?: TurnInput): Promise<void>;
  /** Send an update on to a run, and give its answer back. */
  tellRun(input: ToldRun): Promise<RoundAnswer>;
  namespaceFacts(): Promise<Pick<AskResult, 'searchAttributes'>>;
}

/** Whether an earlier try of the activity may have been carried out. */
function isRetry(): boolean {
  return Context.current().info.attempt > 1;
}

export function createRoundsActivities(dependencies: RoundsDependencies): RoundsActivities {
  // Who changes stages reads first which version serves: two at once would both take the place of the same one, or the stage of one that a
  // person has just promoted.
  const change = inTurn();
  const activities: RoundsActivities = {
    ask: (input) => change(() => ask(dependencies, input)),
    deployFirstVersion: (input) => change(() => deployFirstVersion(dependencies, input)),
    select: (input) => change(() => select(dependencies, input)),
    aggregate: (plan, trained, scoredTo, evidence) =>
      longStep(dependencies.brokers, () => aggregate(dependencies, plan, trained, scoredTo, evidence)),
    refit: (plan) => refit(dependencies, plan),
    contribute: (plan, trainedTo, planned) =>
      longStep(dependencies.brokers, () => contribute(dependencies, plan, trainedTo, planned)),
    deploy: (plan, aggregated, networks, linear = []) =>
      change(() => deploy(dependencies, plan, aggregated, { networks, linear })),
    proposeChampion: (plan) => proposeChampion(dependencies, plan),
    deployRefit: (plan) => change(() => deployRefit(dependencies, plan)),
    decide: (input) => change(() => decide(dependencies, input)),
    withdraw: (input) => change(() => withdraw(dependencies, input)),
    rollback: (input, updateId) =>
      change(async () =>
        updateId !== undefined && (await isRepeatedByReset(updateId))
          ? notRepeated(dependencies)
          : rollback(dependencies, input, isRetry()),
      ),
    promote: (input) => change(() => promote(dependencies, input, isRetry())),
    waitForTurn: (input) => waitForTurn(dependencies.roundId, dependencies.roundsQueue, input),
    tellRun,
    namespaceFacts: () => Promise.resolve({ searchAttributes: dependencies.searchAttributes }),
  };
  return withFailureCodes(activities, ['decide', 'withdraw']);
}
