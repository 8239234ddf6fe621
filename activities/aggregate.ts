import { siteNameSchema, versionOfRound } from '../core/contracts/ids';
import {
  type AggregateResult,
  type Contributors,
  type RoundPlan,
  type Trained,
} from '../core/contracts/steps';
import { countReasons } from '../core/contracts/updates';
import { isStorableDeviceId } from '../core/contracts/storable';
import { isOwnStrategy, needsRoot } from '../core/contracts/strategies';
import {
  aggregateRound,
  type AggregateRequest,
  type RoundAggregation,
} from '../core/federation/aggregation/aggregate';
import { aggregateByOwn } from '../core/federation/aggregation/aggregate-own';
import { combineRoots, type CombinedRoot } from '../core/federation/aggregation/root-update';
import { realAccuracies } from '../core/federation/panels/local-scoring';
import { selfReportGap } from '../core/federation/aggregation/self-reports';
import { decodeState, encodeState } from '../core/federation/strategies/server-state';
import { strategyByName } from '../core/federation/strategies';
import { type Proposal, type RealAccuracy } from '../core/federation/strategies/strategy';
import {
  requireUpdates,
  type CheckedUpdate,
  type CheckedUpdates,
  type LeftOutDevice,
} from '../core/federation/aggregation/update-checks';
import { mean, plus } from '../core/federation/vectors';
import { logDeployment, type DeployedVersion, type Deployments } from '../core/model/deployments';
import { stepsOfTraining } from '../core/model/epoch-plan';
import { sha256Of } from '../core/model/model-file';
import { type Producer } from '../core/platform/kafka';
import { checkedUpdates } from './shared/checked-updates';
import { requireUndecided } from './shared/decided';
import { publishLeftOut, publishOutcomes } from './shared/outcomes';
import { nameOfProposal, publishProposal } from './shared/proposals';
import { withOwnStrategy } from './shared/own-strategy';
import { planContribution, type ContributionRequest } from './shared/plan-contribution';
import { bookNoise, type BookedNoise } from './shared/privacy-ledger';
import { possibleScores } from './shared/possible-reports';
import { trainedBase } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

const UNKNOWN_SITE = siteNameSchema.parse('unknown');

export interface AggregateDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
  /** Folder of strategies of one's own. */
  readonly strategies?: string | undefined;
}

/**
 * Step 4: check the updates, let the strategy make its proposals of them on real accuracy, and publish proposals and the outcome
 * of every update.
 * @throws FedloopError `TooFewUpdates` with the reasons why updates do not count, `StrategyFailed` for a strategy of one's own.
 */
export async function aggregate(
  dependencies: AggregateDependencies,
  plan: RoundPlan,
  trained: Trained,
  scoredTo: number,
  evidence: readonly number[],
): Promise<AggregateResult> {
  const { producer, deployments, inbox } = dependencies;
  await requireUndecided(deployments, plan);
  const base = trainedBase(deployments, plan.champion);
  const { weights } = base.model;
  const { good: updates, leftOut } = await receiveUpdates(dependencies, plan, trained, base);
  const sites = await inbox.descriptions(plan);
  const scores = possibleScores(await inbox.scores(plan, scoredTo), sites);
  const real = realAccuracies(scores.possible, updates);
  const stored = deployments.serverState('current');
  const root = await rootOf(inbox, plan, weights.length);
  const deltas = updates.map(({ delta }) => delta);
  const booked = plan.privacy && (await bookNoise(dependencies, plan, plan.privacy, deltas));
  const request: ContributionRequest = {
    strategySettings: plan.strategySettings,
    updates,
    base: weights,
    learningRate: plan.training.learningRate,
    localSteps: (rows) => stepsOfTraining(rows, plan.training),
    fleetDevices: sites.reduce((sum, { devices }) => sum + devices, 0),
    state: stored === undefined ? null : { ...decodeState(stored.state), evidence },
    realAccuracy: real,
    rootUpdate: root?.update ?? null,
    parts: plan.parts,
  };
  const aggregation = await aggregateBy(dependencies, plan, booked, request);
  const { proposals } = aggregation;
  for (const proposal of proposals)
    await publishProposal(producer, plan, nameOfProposal(proposal), plus(weights, proposal.delta));
  const contribution = await planContribution(producer, plan, request, proposals);
  await logDeployment(producer, [
    { type: 'server-state', kind: 'pending', round: plan.round, state: encodeState(aggregation.state) },
  ]);
  const version = versionOfRound(plan.round);
  await publishOutcomes(producer, plan, { version, updates, real, leftOut, proposals });
  const feedbackUsed = {
    ...trained.feedbackUsed,
    ...aggregation.feedbackUsed,
    impossible_scores: scores.refused,
    ...(root !== null && { impossible_root_updates: root.refused }),
    ...clippingOf(aggregation, booked),
  };
  const result = resultOf(aggregation, { good: updates, leftOut }, real, feedbackUsed);
  return contribution === null ? result : { ...result, contribution };
}

/** The round's strategy: one of Fedloop's, or a module in a process of its own. */
async function aggregateBy(
  { strategies }: AggregateDependencies,
  { strategy, round }: RoundPlan,
  booked: BookedNoise | null,
  request: Omit<AggregateRequest, 'strategy' | 'noise'>,
): Promise<RoundAggregation> {
  if (isOwnStrategy(strategy)) {
    return withOwnStrategy(strategies, strategy, (running) =>
      aggregateByOwn({ ...request, name: strategy, running, round }),
    );
  }
  const noise = booked?.noise ?? null;
  return aggregateRound({ ...request, strategy: strategyByName(strategy), noise });
}

/** What the sites' root updates come to; null where the strategy needs none. */
async function rootOf(inbox: UpdateInbox, plan: RoundPlan, parameters: number): Promise<CombinedRoot | null> {
  if (!needsRoot(plan.strategy)) return null;
  const sent = await inbox.rootUpdates(plan);
  return combineRoots(
    sent.map(({ delta }) => Float32Array.from(delta)),
    parameters,
  );
}

/** The updates that count, published with the reasons of those that do not. @throws FedloopError `TooFewUpdates` */
async function receiveUpdates(
  { producer, inbox }: AggregateDependencies,
  plan: RoundPlan,
  { last }: Trained,
  base: DeployedVersion,
): Promise<CheckedUpdates> {
  const { good, leftOut } = await checkedUpdates(inbox, plan, last, base);
  const received = {
    good,
    leftOut: [...leftOut, ...unreadableDevices(await inbox.unreadable(plan, last))],
  };
  await publishLeftOut(producer, plan, received.leftOut);
  if (good.length < plan.minUpdates) {
    const nothing = { version: null, real: [], proposals: [] };
    await publishOutcomes(producer, plan, { ...nothing, updates: good, leftOut: received.leftOut });
  }
  requireUpdates(received, plan.minUpdates);
  return received;
}

function resultOf(
  { proposals }: RoundAggregation,
  { good: updates, leftOut }: CheckedUpdates,
  real: readonly RealAccuracy[],
  feedbackUsed: AggregateResult['feedbackUsed'],
): AggregateResult {
  const chosen = proposals.find(({ role }) => role !== 'responsive') ?? proposals[0];
  const dropped = updates.flatMap((_, index) => {
    const reason = chosen?.leftOut[index] ?? null;
    return reason === null ? [] : [{ reason }];
  });
  const reports = updates.map(({ deviceId, selfReportedAccuracy }, index) => ({
    deviceId,
    selfReportedAccuracy,
    realAccuracy: real[index]?.long ?? null,
  }));
  const known = reports.flatMap(({ realAccuracy }) => realAccuracy ?? []);
  return {
    proposals: proposals.map(nameOfProposal),
    trained: updates.length,
    used: updates.length - dropped.length,
    leftOut: countReasons([...leftOut, ...dropped]),
    selfReportedAccuracy: mean(reports.map(({ selfReportedAccuracy }) => selfReportedAccuracy)),
    localRealAccuracy: known.length === 0 ? null : mean(known),
    selfReportGap: selfReportGap(reports),
    contributors: proposals.map((proposal) => contributorsOf(proposal, updates)),
    feedbackUsed,
    wantsPanels: proposals.some(({ role }) => role !== null),
  };
}

/** Without noise it is told how many updates were clipped; with it, that exact number would give away what the noise hides. */
function clippingOf(
  { clipped }: RoundAggregation,
  booked: BookedNoise | null,
): AggregateResult['feedbackUsed'] {
  if (booked === null) return { updates_clipped: clipped };
  const { epsilon, clip_norm } = booked.booking;
  return { epsilon_spent: epsilon, clip_norm };
}

/** The devices of an unreadable update are unknown: it stands under its key, and under the site that the key names. */
/** Stands for a sender whose message had no key that a table can hold as a name. */
const KEY_WITHOUT_NAME = '(no readable key)';

function unreadableDevices(keys: readonly string[]): LeftOutDevice[] {
  return keys.map((key) => {
    const site = siteNameSchema.safeParse(key.split('/')[2]);
    const deviceId = isStorableDeviceId(key) ? key : KEY_WITHOUT_NAME;
    return { deviceId, site: site.success ? site.data : UNKNOWN_SITE, reason: 'unreadable' };
  });
}

/** Devices with a share in the proposal. */
function contributorsOf(proposal: Proposal, updates: readonly CheckedUpdate[]): Contributors {
  const ids = updates
    .flatMap(({ deviceId }, index) => ((proposal.weights[index] ?? 0) === 0 ? [] : [deviceId]))
    .sort();
  return {
    proposal: nameOfProposal(proposal),
    devices: ids.length,
    sha256: sha256Of(Buffer.from(ids.join('\n'), 'utf8')),
  };
}
