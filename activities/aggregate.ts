import { FedloopError } from '../core/contracts/errors';
import { siteNameSchema, versionOfRound } from '../core/contracts/ids';
import {
  type AggregateResult,
  type Contributors,
  type RoundPlan,
  type Trained,
} from '../core/contracts/steps';
import { aggregateRound, type RoundAggregation } from '../core/federation/aggregation/aggregate';
import { realAccuracies } from '../core/federation/panels/local-scoring';
import { selfReportGap } from '../core/federation/aggregation/self-reports';
import { decodeState, encodeState } from '../core/federation/strategies/server-state';
import { strategyByName } from '../core/federation/strategies';
import { type Proposal, type RealAccuracy } from '../core/federation/strategies/strategy';
import {
  checkUpdates,
  countReasons,
  requireUpdates,
  type CheckedUpdate,
  type CheckedUpdates,
  type LeftOutDevice,
} from '../core/federation/aggregation/update-checks';
import { mean, plus } from '../core/federation/vectors';
import { logDeployment, type Deployments } from '../core/model/deployments';
import { sha256Of } from '../core/model/model-file';
import { parameterCount, type GlobalModel } from '../core/model/types';
import { type Producer } from '../core/platform/kafka';
import { seededRandom } from '../core/platform/random';
import { publishLeftOut, publishOutcomes } from './shared/outcomes';
import { PROPOSALS, publishProposal } from './shared/proposals';
import { type UpdateInbox } from './shared/update-inbox';

const UNKNOWN_SITE = siteNameSchema.parse('unknown');

export interface AggregateDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
}

/**
 * Step 4: check the updates, let the strategy make its proposals of them on real accuracy, and publish proposals and what became
 * of every update.
 * @throws FedloopError `TooFewUpdates` with the reasons why updates do not count.
 */
export async function aggregate(
  dependencies: AggregateDependencies,
  plan: RoundPlan,
  trained: Trained,
  scoredTo: number,
  evidence: readonly number[],
): Promise<AggregateResult> {
  const { producer, deployments, inbox } = dependencies;
  const base = deployments.find(plan.champion);
  if (base === undefined)
    throw new FedloopError('NotFound', `the champion ${plan.champion} is not in model-deployments`);
  const strategy = strategyByName(plan.strategy);
  const { good: updates, leftOut } = await collectUpdates(dependencies, plan, trained, base.model);
  const real = realAccuracies(await inbox.scores(plan, scoredTo), updates);
  const stored = deployments.serverState('current');
  const aggregation = aggregateRound({
    strategy,
    strategySettings: plan.strategySettings,
    updates,
    base: base.model.weights,
    learningRate: plan.training.learningRate,
    state: stored === undefined ? null : { ...decodeState(stored.state), evidence },
    realAccuracy: real,
    parts: plan.parts,
    privacy: plan.privacy,
    random: seededRandom(plan.seed, 'privacy', plan.round),
  });
  const { proposals } = aggregation;
  for (const { role, delta } of proposals)
    await publishProposal(producer, plan, role ?? PROPOSALS.sole, plus(base.model.weights, delta));
  await logDeployment(producer, [
    { type: 'server-state', kind: 'pending', round: plan.round, state: encodeState(aggregation.state) },
  ]);
  const version = versionOfRound(plan.round);
  await publishOutcomes(producer, plan, { version, updates, real, leftOut, proposals });
  return resultOf(trained, updates, leftOut, real, aggregation);
}

/**
 * The updates that count, and the others with their reasons, which are published.
 * @throws FedloopError `TooFewUpdates`
 */
async function collectUpdates(
  { producer, inbox }: AggregateDependencies,
  plan: RoundPlan,
  { last }: Trained,
  { metadata }: GlobalModel,
): Promise<CheckedUpdates> {
  const chunks = await inbox.updates(plan, last);
  const selected = inbox.selected(plan);
  const { good, ...checked } = checkUpdates(chunks, {
    round: plan.round,
    attempt: plan.attempt,
    baseVersion: plan.champion,
    parameters: parameterCount(metadata.shape),
    isSelected: (site, deviceId) => selected.get(site)?.has(deviceId) ?? false,
  });
  const leftOut = [...checked.leftOut, ...unreadableDevices(await inbox.unreadable(plan, last))];
  await publishLeftOut(producer, plan, leftOut);
  if (good.length < plan.minUpdates)
    await publishOutcomes(producer, plan, { version: null, updates: good, real: [], leftOut, proposals: [] });
  requireUpdates({ good, leftOut }, plan.minUpdates);
  return { good, leftOut };
}

function resultOf(
  trained: Trained,
  updates: readonly CheckedUpdate[],
  leftOut: readonly LeftOutDevice[],
  real: readonly RealAccuracy[],
  { proposals, feedbackUsed, clipping, epsilon }: RoundAggregation,
): AggregateResult {
  const chosen = proposals.find(({ role }) => role !== 'responsive') ?? proposals[0];
  const dropped = updates.flatMap((_, index) => {
    const reason = chosen?.leftOut[index] ?? null;
    return reason === null ? [] : [{ reason }];
  });
  return {
    proposals: proposals.map(({ role }) => role ?? PROPOSALS.sole),
    trained: updates.length,
    used: updates.length - dropped.length,
    leftOut: countReasons([...leftOut, ...dropped]),
    selfReportedAccuracy: mean(updates.map(({ selfReportedAccuracy }) => selfReportedAccuracy)),
    localRealAccuracy: meanKnown(real.map(({ long }) => long)),
    selfReportGap: selfReportGap(
      updates.map(({ deviceId, selfReportedAccuracy }, index) => {
        return { deviceId, selfReportedAccuracy, realAccuracy: real[index]?.long ?? null };
      }),
    ),
    contributors: proposals.map((proposal) => contributorsOf(proposal, updates)),
    feedbackUsed: {
      ...trained.feedbackUsed,
      ...feedbackUsed,
      updates_clipped: clipping.clipped,
      ...(epsilon === null ? {} : { epsilon_spent: epsilon }),
    },
    wantsPanels: proposals.some(({ role }) => role !== null),
  };
}

/** Of an update that cannot be read nobody knows the devices: it stands under its key, and under the site that the key names. */
function unreadableDevices(keys: readonly string[]): LeftOutDevice[] {
  return keys.map((key) => {
    const site = siteNameSchema.safeParse(key.split('/')[2]);
    return { deviceId: key, site: site.success ? site.data : UNKNOWN_SITE, reason: 'unreadable' };
  });
}

/** Those with a share in the proposal. */
function contributorsOf({ role, weights }: Proposal, updates: readonly CheckedUpdate[]): Contributors {
  const ids = updates
    .flatMap(({ deviceId }, index) => ((weights[index] ?? 0) === 0 ? [] : [deviceId]))
    .sort();
  return {
    proposal: role ?? PROPOSALS.sole,
    devices: ids.length,
    sha256: sha256Of(Buffer.from(ids.join('\n'), 'utf8')),
  };
}

function meanKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : mean(known);
}
