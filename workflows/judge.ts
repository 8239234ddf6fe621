import { ActivityFailure, ApplicationFailure, CancellationScope, isCancellation } from '@temporalio/workflow';
import { type ErrorCode } from '../core/contracts/errors';
import { type VersionId } from '../core/contracts/ids';
import {
  mostWindows,
  windowsTimeoutMillis,
  type FederatedRoundResult,
  type VersionScore,
} from '../core/contracts/rounds';
import { EARLY_ENDS, type DeployResult, type EvaluateResult, type RoundRef } from '../core/contracts/steps';
import { causeFirst } from './failures';
import { type RoundControl } from './round-control';
import { type Prepared } from './round-training';
import { type RoundSteps } from './steps';
import { rememberResult, type Visibility } from './visibility';

/** What a round deploys is withdrawn when it fails or is cancelled, however that happens: the champion stays. */
export async function orWithdrawn<Result>(
  control: RoundControl,
  steps: RoundSteps,
  { seen, ...ref }: RoundRef & { readonly seen: Visibility },
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (thrown) {
    // A closed round that was reset has none: what came after it must not be touched.
    const failure = causeFirst(thrown, control.step);
    if (wasOvertaken(thrown)) throw failure;
    await CancellationScope.nonCancellable(async () => {
      await steps.mustComplete.withdraw({
        ...ref,
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

/** Candidates stand: evaluate them on live windows, decide, feed back. */
export async function judge(
  control: RoundControl,
  steps: RoundSteps,
  prepared: Prepared,
  deployed: DeployResult,
  seen: Visibility,
): Promise<FederatedRoundResult> {
  const { round, attempt, champion } = prepared.plan;
  const elected = deployed.elected.version;
  seen.candidate(elected);

  await control.enter('evaluate', { candidate: elected });
  const { settings } = control;
  const candidates = deployed.candidates;
  const timeoutMillis = windowsTimeoutMillis(settings, prepared.plan);
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
