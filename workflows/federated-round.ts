import {
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type SiteName, type VersionId } from '../core/contracts/ids';
import {
  federatedRoundInputSchema,
  partsFor,
  type FederatedRoundInput,
  type FederatedRoundResult,
  type VersionScore,
} from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import {
  EARLY_ENDS,
  type AggregateResult,
  type AskResult,
  type EvaluateResult,
  type MessageRange,
  type RoundPlan,
  type DeployResult,
  type SitePlan,
} from '../core/contracts/steps';
import { addReasons } from '../core/contracts/updates';
import { ownFleet } from './fleet';
import { parseInput } from './input';
import { BEFORE_ALL, progressQuery, RoundControl, scoreboardQuery } from './round-control';
import { feedbackOfSites } from './site-feedback';
import { lockSteps, roundSteps, type RoundSteps } from './steps';
import { rememberResult, visibility } from './visibility';

/**
 * One federated round: ask, select, train locals, score locals, aggregate, deploy, evaluate, decide, feed back.
 * The fleet's round id (`fedloop-round`) is the round lock: a round started under any other id runs as a child under that one, so that
 * two never overlap.
 */
export async function federatedRound(rawInput?: unknown): Promise<FederatedRoundResult> {
  const input = parseInput(federatedRoundInputSchema, rawInput);
  const { roundId } = ownFleet();
  return workflowInfo().workflowId === roundId ? runRound(input) : runUnderLock(input, roundId);
}

/** Acquire the round lock and run the round; while another round has the lock, wait or refuse, by the input's `ifBusy`. */
async function runUnderLock(input: FederatedRoundInput, roundId: string): Promise<FederatedRoundResult> {
  let running = false;
  setHandler(progressQuery, () => ({ ...BEFORE_ALL, step: running ? 'running' : 'waiting' }));
  setHandler(scoreboardQuery, () => []);
  for (;;) {
    try {
      const round = await startChild(federatedRound, {
        workflowId: roundId,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `round by ${workflowInfo().workflowId}`,
      });
      running = true;
      setCurrentDetails(
        `The round runs as workflow \`${roundId}\`: look there for its steps, and pause or approve it there.`,
      );
      const result = await round.result();
      rememberResult(result);
      return result;
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      if (input.ifBusy === 'refuse') {
        throw ApplicationFailure.create({
          type: 'RoundInProgress',
          message: 'another round is running; start again when it is done, or with {"ifBusy": "wait"}',
          nonRetryable: true,
        });
      }
      setCurrentDetails('Another round is running; this one starts when it has ended.');
      await lockSteps().waitForTurn();
    }
  }
}

async function runRound(input: FederatedRoundInput): Promise<FederatedRoundResult> {
  const control = new RoundControl(input);
  const steps = roundSteps(input);
  const attempt = workflowInfo().runId;

  await control.enter('ask');
  const asked = await steps.rounds.ask();
  const { round } = asked;
  try {
    const prepared = await trainAndAggregate(control, steps, asked, attempt);
    return await judge(control, steps, prepared);
  } catch (thrown) {
    // However a round fails or is cancelled, its candidates are withdrawn and the champion stays.
    await CancellationScope.nonCancellable(() =>
      steps.mustComplete.withdraw({
        round,
        attempt,
        reason: EARLY_ENDS[isCancellation(thrown) ? 'cancelled' : 'failed'],
      }),
    );
    throw thrown;
  }
}

/** What the first half of a round passes to the second. */
interface Prepared {
  readonly asked: AskResult;
  readonly plan: RoundPlan;
  readonly aggregated: AggregateResult;
}

/** Select, train locals, score locals, aggregate: nothing that serves changes yet. */
async function trainAndAggregate(
  control: RoundControl,
  { rounds, sites }: RoundSteps,
  asked: AskResult,
  attempt: string,
): Promise<Prepared> {
  await control.enter('select', { round: asked.round, champion: asked.champion });
  const { settings } = control;
  const { round } = asked;
  await Promise.all(
    sites.map((site) => site.describeSite({ round, attempt, withFeatureSums: asked.champion === null })),
  );
  const { quotas, ...selection } = await rounds.select({
    round,
    attempt,
    participants: settings.participants,
    sites: settings.sites,
  });
  const champion =
    asked.champion ?? (await rounds.deployFirstVersion({ round, attempt, seed: settings.seed }));

  await control.enter('train locals', { champion });
  const plan: RoundPlan = {
    round,
    attempt,
    champion,
    ...selection,
    seed: settings.seed,
    strategy: settings.strategy,
    strategySettings: settings.strategySettings,
    parts: partsFor(settings.strategy, settings.parts),
    training: settings.training,
    privacy: settings.privacy ?? null,
    minUpdates: control.settings.minUpdates,
  };
  const planFor = (name: SiteName): SitePlan => ({
    ...plan,
    quota: quotas.find(({ site }) => site === name) ?? null,
  });
  const trained = await Promise.all(sites.map((site) => site.trainLocals(planFor(site.name))));
  const trainedTo = lastOf(trained);

  await control.enter('score locals', {
    devicesTrained: trained.reduce((sum, { trained: count }) => sum + count, 0),
    leftOut: addReasons(trained.map(({ leftOut }) => leftOut)),
  });
  const scored = await Promise.all(sites.map((site) => site.scoreLocals(planFor(site.name), trainedTo)));

  await control.enter('aggregate');
  const aggregated = await rounds.aggregate(
    plan,
    { last: trainedTo, feedbackUsed: feedbackOfSites(trained) },
    lastOf(scored),
    asked.evidence,
  );
  control.report({ leftOut: aggregated.leftOut });
  if (aggregated.wantsPanels) await judgeOnPanels(plan, planFor, { rounds, sites }, aggregated.proposals);
  return { asked, plan, aggregated };
}

/** Sites send additive sums; the refitted proposals join the others, and panels B and C judge them all. */
async function judgeOnPanels(
  plan: RoundPlan,
  planFor: (site: SiteName) => SitePlan,
  { rounds, sites }: Pick<RoundSteps, 'rounds' | 'sites'>,
  proposals: readonly string[],
): Promise<void> {
  let refitted: readonly string[] = [];
  if (plan.parts.refit || plan.parts.steadyRefit) {
    await Promise.all(sites.map((site) => site.sumPanels(planFor(site.name))));
    refitted = await rounds.refit(plan);
  }
  await Promise.all(
    sites.map((site) => site.scoreProposals(planFor(site.name), [...proposals, ...refitted])),
  );
}

/** Offset in `model-updates`, which has one partition, up to which all messages of these sites stand. */
function lastOf(sent: readonly MessageRange[]): number {
  return Math.max(-1, ...sent.map(({ last }) => last));
}

/** Deploy, evaluate on live windows, decide, feed back. */
async function judge(
  control: RoundControl,
  steps: RoundSteps,
  prepared: Prepared,
): Promise<FederatedRoundResult> {
  const { asked, plan, aggregated } = prepared;
  const { round, attempt, champion } = plan;
  const seen = visibility(asked.searchAttributes);

  await control.enter('deploy');
  const deployed = await steps.rounds.deploy(plan, aggregated, asked.evidence);
  const elected = deployed.elected.version;
  seen.candidate(elected);

  await control.enter('evaluate', { candidate: elected });
  const { settings } = control;
  const candidates = deployed.candidates;
  const evaluation = await steps.evaluation(settings.windowsTimeout).evaluate({
    round,
    attempt,
    champion,
    elected,
    candidates,
    windows: settings.windows,
    windowsTimeoutMillis: durationMillis(settings.windowsTimeout),
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
      ...resultOf(plan, aggregated, deployed, evaluation),
      ...decided,
    };
    await steps.mustComplete.feedBack({ attempt, result, candidates });
    seen.decided(elected, result.decision, result.candidate.accuracy);
    rememberResult(result);
    control.report({ step: 'done' });
    return result;
  });
}

function resultOf(
  plan: RoundPlan,
  aggregated: AggregateResult,
  deployed: DeployResult,
  evaluation: EvaluateResult,
): Omit<FederatedRoundResult, 'decision' | 'reason'> {
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
  };
}
