import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  continueAsNew,
  isCancellation,
  workflowInfo,
} from '@temporalio/workflow';
import { type ErrorCode } from '../core/contracts/errors';
import { type VersionId } from '../core/contracts/ids';
import {
  federatedRoundInputSchema,
  mostWindows,
  windowsTimeoutMillis,
  type FederatedRoundInput,
  type FederatedRoundResult,
  type VersionScore,
} from '../core/contracts/rounds';
import { isOwnStrategy } from '../core/contracts/strategies';
import { EARLY_ENDS, type DeployResult, type EvaluateResult } from '../core/contracts/steps';
import { causeFirst } from './failures';
import { ownFleet, refuseLockedId } from './fleet';
import { parseInput, takenAlong } from './input';
import { waitUntilReady } from './readiness';
import { RoundControl, toldRoundSchema, type ToldRound } from './round-control';
import { runUnderLock } from './round-lock';
import { trainAndAggregate, type Prepared } from './round-training';
import { roundSteps, type RoundSteps } from './steps';
import { rememberResult, visibility, type Visibility } from './visibility';

const NOTHING_TOLD: ToldRound = { paused: null, changes: [] };

/**
 * One federated round: ask, select, train locals, score locals, aggregate, deploy, evaluate, decide, feed back.
 * The fleet's round id (`fedloop-round`) is the round lock: a round started under any other id runs as a child under that one, so that
 * two never overlap. `rawTold` is what a run takes along when it continues as new.
 */
export async function federatedRound(rawInput?: unknown, rawTold?: ToldRound): Promise<FederatedRoundResult> {
  refuseLockedId('roundId');
  const input = parseInput(federatedRoundInputSchema, rawInput);
  const told = takenAlong(toldRoundSchema, rawTold, NOTHING_TOLD);
  const { roundId } = ownFleet();
  return workflowInfo().workflowId === roundId ? runRound(input, told) : runUnderLock(input, roundId);
}

async function runRound(input: FederatedRoundInput, told: ToldRound): Promise<FederatedRoundResult> {
  const control = new RoundControl(input, told);
  try {
    return await stepByStep(control, input);
  } finally {
    control.ended();
  }
}

async function stepByStep(control: RoundControl, input: FederatedRoundInput): Promise<FederatedRoundResult> {
  const steps = roundSteps(input);
  // A reset gives the workflow another run id, and leaves this one.
  const attempt = workflowInfo().originalExecutionRunId;

  await control.enter('ask');
  if (input.ifTooEarly === 'wait')
    await waitUntilReady(control, steps.sites, () =>
      continueAsNew<typeof federatedRound>(control.settings, control.told),
    );
  const { privacy, strategy, strategySettings: settings } = control.settings;
  const own = isOwnStrategy(strategy) ? { strategy, settings } : undefined;
  const asked = await steps.rounds
    .ask({ attempt, ...(privacy && { privacy }), ...(own && { own }) })
    .catch((thrown: unknown) => {
      throw causeFirst(thrown, 'ask');
    });
  const { round } = asked;
  const seen = visibility(asked.searchAttributes);
  try {
    const prepared = await trainAndAggregate(control, steps, asked, attempt);
    return await judge(control, steps, prepared, seen);
  } catch (thrown) {
    // A closed round that was reset has none: what came after it must not be touched.
    const failure = causeFirst(thrown, control.step);
    if (wasOvertaken(thrown)) throw failure;
    // However a round fails or is cancelled, its candidates are withdrawn and the champion stays.
    await CancellationScope.nonCancellable(async () => {
      await steps.mustComplete.withdraw({
        round,
        attempt,
        reason: EARLY_ENDS[isCancellation(thrown) ? 'cancelled' : 'failed'],
      });
      seen.withdrawn();
    });
    throw failure;
  }
}

function wasOvertaken(thrown: unknown): boolean {
  const cause = thrown instanceof ActivityFailure ? thrown.cause : undefined;
  return cause instanceof ApplicationFailure && cause.type === ('RoundOvertaken' satisfies ErrorCode);
}

/** Deploy, evaluate on live windows, decide, feed back. */
async function judge(
  control: RoundControl,
  steps: RoundSteps,
  prepared: Prepared,
  seen: Visibility,
): Promise<FederatedRoundResult> {
  const { asked, plan } = prepared;
  const { round, attempt, champion } = plan;

  await control.enter('deploy');
  const deployed = await steps.rounds.deploy(plan, prepared.aggregated, asked.evidence, asked.linearEvidence);
  const elected = deployed.elected.version;
  seen.candidate(elected);

  await control.enter('evaluate', { candidate: elected });
  const { settings } = control;
  const candidates = deployed.candidates;
  const timeoutMillis = windowsTimeoutMillis(settings, plan);
  const evaluation = await steps.evaluation(timeoutMillis).evaluate({
    round,
    attempt,
    champion,
    elected,
    candidates,
    windows: settings.windows,
    maxWindows: mostWindows(settings),
    windowsTimeoutMillis: timeoutMillis,
    gate: settings.gate,
  });
  control.reportScores(evaluation, champion, elected);
  const verdict = await control.approved(evaluation.verdict);

  await control.enter('decide');
  const decided = await steps.rounds.decide({
    round,
    attempt,
    champion,
    elected,
    candidates,
    evaluation: { ...evaluation, verdict },
  });

  // From here on the decision stands: a cancellation comes too late, and the round publishes its result.
  return CancellationScope.nonCancellable(async () => {
    control.report({ step: 'feed back', decision: decided.decision });
    const result: FederatedRoundResult = {
      // First what people look for.
      reason: decided.reason,
      decision: decided.decision,
      finding: decided.finding ?? null,
      ...resultOf(prepared, deployed, evaluation),
    };
    await steps.mustComplete.feedBack({ attempt, result, candidates });
    seen.decided(elected, result.decision, result.candidate.accuracy);
    rememberResult(result);
    control.report({ step: 'done' });
    return result;
  });
}

function resultOf(
  { plan, aggregated, contribution }: Prepared,
  deployed: DeployResult,
  evaluation: EvaluateResult,
): Omit<FederatedRoundResult, 'decision' | 'finding' | 'reason'> {
  const scoreOf = (version: VersionId): VersionScore => {
    const score = evaluation.scores.find((known) => known.version === version);
    if (score === undefined) throw ApplicationFailure.nonRetryable(`${version} has no score`, 'Internal');
    return score;
  };
  return {
    round: plan.round,
    version: deployed.elected.version,
    champion: plan.champion,
    strategy: plan.strategy,
    role: deployed.elected.role,
    windows: evaluation.windows,
    candidate: scoreOf(deployed.elected.version),
    previousChampion: scoreOf(plan.champion),
    pairedChange: evaluation.pairedChange,
    selfReportedAccuracy: aggregated.selfReportedAccuracy,
    localRealAccuracy: aggregated.localRealAccuracy,
    selfReportGap: aggregated.selfReportGap,
    updates: { trained: aggregated.trained, used: aggregated.used, leftOut: aggregated.leftOut },
    feedbackUsed: deployed.feedbackUsed,
    contribution,
  };
}
