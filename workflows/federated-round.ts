import {
  ApplicationFailure,
  CancellationScope,
  defineQuery,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type AnalyticsActivities } from '../activities/analytics';
import { type RoundsActivities } from '../activities/rounds';
import { type SiteActivities } from '../activities/site';
import { type VersionId } from '../core/contracts/ids';
import { ANALYTICS_QUEUE, ROUND_WORKFLOW_ID, ROUNDS_QUEUE, siteQueue } from '../core/contracts/queues';
import {
  federatedRoundInputSchema,
  partsFor,
  type FederatedRoundInput,
  type FederatedRoundResult,
  type VersionScore,
} from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import { type PanelScore, type RoundPlan, type RoundProgress, type RoundStep } from '../core/contracts/steps';
import { describeProgress } from './details';
import { parseInput } from './input';
import {
  AGGREGATION,
  BUSY_POLL,
  EVALUATION_HEARTBEAT,
  EVALUATION_SLACK_MS,
  QUICK_STEP,
  SITE_WORK,
} from './limits';

export const progressQuery = defineQuery<RoundProgress>('progress');

const rounds = proxyActivities<RoundsActivities>({ ...QUICK_STEP, taskQueue: ROUNDS_QUEUE });
const aggregation = proxyActivities<RoundsActivities>({ ...AGGREGATION, taskQueue: ROUNDS_QUEUE });
const analytics = proxyActivities<AnalyticsActivities>({ ...QUICK_STEP, taskQueue: ANALYTICS_QUEUE });

/** Activities of every site at once, in the order of the round's sites. */
function atSites(input: FederatedRoundInput): readonly SiteActivities[] {
  return input.sites.map((site) =>
    proxyActivities<SiteActivities>({ ...SITE_WORK, taskQueue: siteQueue(site) }),
  );
}

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
  setHandler(progressQuery, () => ({
    round: null,
    step: 'waiting',
    champion: null,
    candidate: null,
    devicesTrained: null,
  }));
  for (;;) {
    try {
      return await executeChild(federatedRound, {
        workflowId: ROUND_WORKFLOW_ID,
        args: [input],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        staticSummary: `round by ${workflowInfo().workflowId}`,
      });
    } catch (thrown) {
      if (!(thrown instanceof WorkflowExecutionAlreadyStartedError)) throw thrown;
      if (input.ifBusy === 'refuse') {
        throw ApplicationFailure.create({
          type: 'RoundInProgress',
          message: 'another round is running; start again when it is done, or with {"ifBusy": "wait"}',
          nonRetryable: true,
        });
      }
      setCurrentDetails('Another round is running; this one waits for its turn.');
      await sleep(BUSY_POLL);
    }
  }
}

async function playRound(input: FederatedRoundInput): Promise<FederatedRoundResult> {
  let progress: RoundProgress = {
    round: null,
    step: 'ask',
    champion: null,
    candidate: null,
    devicesTrained: null,
  };
  const enter = (step: RoundStep, known: Partial<RoundProgress> = {}): void => {
    progress = { ...progress, ...known, step };
    setCurrentDetails(describeProgress(progress));
  };
  setHandler(progressQuery, () => progress);
  const attempt = workflowInfo().runId;
  const sites = atSites(input);

  enter('ask');
  const asked = await rounds.ask();
  const { round } = asked;

  enter('select', { round });
  const descriptions = await Promise.all(
    sites.map((site) => site.describeSite({ withFeatureSums: asked.champion === null })),
  );
  const champion = asked.champion ?? (await rounds.deployFirstVersion({ descriptions, seed: input.seed }));
  const selection = await rounds.select({
    descriptions,
    participants: input.participants,
    sites: input.sites,
  });
  const plan: RoundPlan = {
    round,
    attempt,
    champion,
    ...selection,
    seed: input.seed,
    strategy: input.strategy,
    strategySettings: input.strategySettings,
    parts: partsFor(input.strategy, input.parts),
    training: input.training,
    privacy: input.privacy ?? null,
    minUpdates: input.minUpdates,
  };

  enter('train locals', { champion });
  const trained = await Promise.all(sites.map((site) => site.trainLocals(plan)));
  const devicesTrained = trained.reduce((sum, { trained: count }) => sum + count, 0);

  enter('score locals', { devicesTrained });
  const scored = await Promise.all(sites.map((site) => site.scoreLocals(plan, trained)));

  enter('aggregate');
  const aggregated = await aggregation.aggregate(plan, trained, scored, asked.evidence);
  const panelScores = aggregated.wantsPanels ? await judgeOnPanels(plan, sites, aggregated.proposals) : [];

  enter('deploy');
  const settled = await rounds.deploy(plan, aggregated, panelScores, asked.evidence);
  const deployed: readonly VersionId[] = settled.candidates;

  try {
    enter('evaluate', { candidate: settled.elected.version });
    const evaluation = await waitForWindows(input).evaluate({
      round,
      attempt,
      champion,
      elected: settled.elected.version,
      candidates: deployed,
      windows: input.windows,
      windowsTimeoutMillis: durationMillis(input.windowsTimeout),
      gate: input.gate,
    });

    enter('decide');
    const { decision, reason } = await rounds.decide({
      round,
      attempt,
      champion,
      elected: settled.elected.version,
      candidates: deployed,
      evaluation,
    });

    enter('feed back');
    const scoreOf = (version: VersionId): VersionScore => {
      const score = evaluation.scores.find((known) => known.version === version);
      if (score === undefined) throw ApplicationFailure.nonRetryable(`${version} has no score`, 'Internal');
      return score;
    };
    const result: FederatedRoundResult = {
      round,
      version: settled.elected.version,
      champion,
      decision,
      reason,
      strategy: input.strategy,
      role: settled.elected.role,
      windows: evaluation.windows,
      candidate: scoreOf(settled.elected.version),
      previousChampion: scoreOf(champion),
      pairedChange: evaluation.pairedChange,
      selfReportedAccuracy: aggregated.selfReportedAccuracy,
      localRealAccuracy: aggregated.localRealAccuracy,
      updates: { trained: aggregated.trained, used: aggregated.used, leftOut: aggregated.leftOut },
      feedbackUsed: settled.feedbackUsed,
    };
    await analytics.feedBack({ attempt, result, candidates: deployed });
    enter('done');
    return result;
  } catch (thrown) {
    // Whatever stops a round after its candidates went out, a cancellation too: the champion stays, they leave.
    await CancellationScope.nonCancellable(() =>
      rounds.withdraw({
        round,
        attempt,
        candidates: deployed,
        reason: isCancellation(thrown) ? 'the round was cancelled' : 'the round failed',
      }),
    );
    throw thrown;
  }
}

/** Sites send additive sums of their panel A; the refitted proposal joins the others, and panels B and C judge them all. */
async function judgeOnPanels(
  plan: RoundPlan,
  sites: readonly SiteActivities[],
  proposals: readonly string[],
): Promise<readonly PanelScore[]> {
  const refitted = plan.parts.refit
    ? await rounds.refit(plan, await Promise.all(sites.map((site) => site.sumPanels(plan))))
    : [];
  const scores = await Promise.all(
    sites.map((site) => site.scoreProposals(plan, [...proposals, ...refitted])),
  );
  return scores.flat();
}

/** The wait for live windows has the round's own time-out. */
function waitForWindows(input: FederatedRoundInput): Pick<AnalyticsActivities, 'evaluate'> {
  return proxyActivities<AnalyticsActivities>({
    ...QUICK_STEP,
    taskQueue: ANALYTICS_QUEUE,
    startToCloseTimeout: durationMillis(input.windowsTimeout) + EVALUATION_SLACK_MS,
    heartbeatTimeout: EVALUATION_HEARTBEAT,
  });
}
