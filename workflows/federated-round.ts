import {
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
import { ROUND_WORKFLOW_ID } from '../core/contracts/queues';
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
  type SettleResult,
  type SitePlan,
} from '../core/contracts/steps';
import { parseInput, runFailure } from './input';
import { BEFORE_ALL, progressQuery, RoundDesk, scoreboardQuery } from './round-desk';
import { roundSteps, turnSteps, type RoundSteps } from './steps';
import { rememberResult, visibility } from './visibility';

/**
 * One federated round: ask, select, train locals, score locals, aggregate, deploy, evaluate, decide, feed back.
 * Started under any id, it takes its turn under the one id that rounds have, so that two never overlap.
 */
export async function federatedRound(rawInput?: unknown): Promise<FederatedRoundResult> {
  const input = parseInput(federatedRoundInputSchema, rawInput);
  return workflowInfo().workflowId === ROUND_WORKFLOW_ID ? playRound(input) : takeTurn(input);
}

/** Run the round as a child under the fixed id; while another holds it, wait or refuse as the input says. */
async function takeTurn(input: FederatedRoundInput): Promise<FederatedRoundResult> {
  let playing = false;
  setHandler(progressQuery, () => ({ ...BEFORE_ALL, step: playing ? 'playing' : 'waiting' }));
  setHandler(scoreboardQuery, () => []);
  for (;;) {
    try {
      const round = await startChild(federatedRound, {
        workflowId: ROUND_WORKFLOW_ID,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `round by ${workflowInfo().workflowId}`,
      });
      playing = true;
      setCurrentDetails(
        `The round runs as workflow \`${ROUND_WORKFLOW_ID}\`: look there for its steps, and pause or approve it there.`,
      );
      const result = await round.result();
      rememberResult(result);
      return result;
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      if (input.ifBusy === 'refuse') {
        throw runFailure(
          'RoundInProgress',
          'another round is running; start again when it is done, or with {"ifBusy": "wait"}',
        );
      }
      setCurrentDetails('Another round is running; this one waits for its turn.');
      await turnSteps().waitForTurn();
    }
  }
}

async function playRound(input: FederatedRoundInput): Promise<FederatedRoundResult> {
  const desk = new RoundDesk(input);
  const steps = roundSteps(input);
  const attempt = workflowInfo().runId;

  await desk.enter('ask');
  const asked = await steps.rounds.ask();
  const { round } = asked;
  try {
    const prepared = await trainAndAggregate(desk, steps, asked, attempt);
    return await judge(desk, steps, prepared);
  } catch (thrown) {
    // Whatever stops a round, a cancellation too: the champion stays, candidates that went out leave.
    await CancellationScope.nonCancellable(() =>
      steps.certain.withdraw({
        round,
        attempt,
        reason: EARLY_ENDS[isCancellation(thrown) ? 'cancelled' : 'failed'],
      }),
    );
    throw thrown;
  }
}

/** What the first half of a round hands to the second. */
interface Prepared {
  readonly asked: AskResult;
  readonly plan: RoundPlan;
  readonly aggregated: AggregateResult;
}

/** Select, train locals, score locals, aggregate: nothing that serves changes yet. */
async function trainAndAggregate(
  desk: RoundDesk,
  { rounds, sites }: RoundSteps,
  asked: AskResult,
  attempt: string,
): Promise<Prepared> {
  await desk.enter('select', { round: asked.round, champion: asked.champion });
  const { settings } = desk;
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

  await desk.enter('train locals', { champion });
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
    minUpdates: desk.settings.minUpdates,
  };
  const planFor = (name: SiteName): SitePlan => ({
    ...plan,
    quota: quotas.find(({ site }) => site === name) ?? null,
  });
  const trained = await Promise.all(sites.map((site) => site.trainLocals(planFor(site.name))));
  const trainedTo = lastOf(trained);

  await desk.enter('score locals', {
    devicesTrained: trained.reduce((sum, { trained: count }) => sum + count, 0),
    leftOut: addReasons(trained.map(({ leftOut }) => leftOut)),
  });
  const scored = await Promise.all(sites.map((site) => site.scoreLocals(planFor(site.name), trainedTo)));

  await desk.enter('aggregate');
  const aggregated = await rounds.aggregate(
    plan,
    { last: trainedTo, feedbackUsed: trained[0]?.feedbackUsed ?? {} },
    lastOf(scored),
    asked.evidence,
  );
  desk.tell({ leftOut: aggregated.leftOut });
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

/** Offset in `model-updates` up to which all that these sites sent stands: it has one partition. */
function lastOf(sent: readonly MessageRange[]): number {
  return Math.max(-1, ...sent.map(({ last }) => last));
}

/** Deploy, evaluate on live windows, decide, feed back. */
async function judge(desk: RoundDesk, steps: RoundSteps, prepared: Prepared): Promise<FederatedRoundResult> {
  const { asked, plan, aggregated } = prepared;
  const { round, attempt, champion } = plan;
  const seen = visibility(asked.searchAttributes);

  await desk.enter('deploy');
  const settled = await steps.rounds.deploy(plan, aggregated, asked.evidence);
  const elected = settled.elected.version;
  seen.candidate(elected);

  await desk.enter('evaluate', { candidate: elected });
  const { settings } = desk;
  const candidates = settled.candidates;
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
  desk.measured(evaluation, champion, elected);
  const verdict = await desk.approved(evaluation.verdict);

  await desk.enter('decide');
  const decided = await steps.rounds.decide({
    round,
    attempt,
    champion,
    elected,
    candidates,
    evaluation: { ...evaluation, verdict },
  });

  // From here on the decision stands: a cancellation that comes now is too late, and what was decided is told to the end.
  return CancellationScope.nonCancellable(async () => {
    desk.tell({ step: 'feed back', decision: decided.decision });
    const result: FederatedRoundResult = {
      ...resultOf(plan, aggregated, settled, evaluation),
      ...decided,
    };
    await steps.certain.feedBack({ attempt, result, candidates });
    seen.decided(elected, result.decision, result.candidate.accuracy);
    rememberResult(result);
    desk.tell({ step: 'done' });
    return result;
  });
}

function resultOf(
  plan: RoundPlan,
  aggregated: AggregateResult,
  settled: SettleResult,
  evaluation: EvaluateResult,
): Omit<FederatedRoundResult, 'decision' | 'reason'> {
  const scoreOf = (version: VersionId): VersionScore => {
    const score = evaluation.scores.find((known) => known.version === version);
    if (score === undefined) throw runFailure('Internal', `${version} has no score`);
    return score;
  };
  return {
    round: plan.round,
    version: settled.elected.version,
    champion: plan.champion,
    strategy: plan.strategy,
    role: settled.elected.role,
    windows: evaluation.windows,
    candidate: scoreOf(settled.elected.version),
    previousChampion: scoreOf(plan.champion),
    pairedChange: evaluation.pairedChange,
    selfReportedAccuracy: aggregated.selfReportedAccuracy,
    localRealAccuracy: aggregated.localRealAccuracy,
    selfReportGap: aggregated.selfReportGap,
    updates: { trained: aggregated.trained, used: aggregated.used, leftOut: aggregated.leftOut },
    feedbackUsed: settled.feedbackUsed,
  };
}

function addReasons(parts: readonly Readonly<Partial<Record<string, number>>>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const part of parts)
    for (const [reason, count] of Object.entries(part)) sum[reason] = (sum[reason] ?? 0) + (count ?? 0);
  return sum;
}
