import { FedloopError } from '../core/contracts/errors';
import { siteNameSchema, versionOfRound } from '../core/contracts/ids';
import {
  type AggregateResult,
  type Contributors,
  type RoundPlan,
  type Trained,
} from '../core/contracts/steps';
import { aggregateRound } from '../core/federation/aggregation/aggregate';
import { realAccuracies } from '../core/federation/panels/local-scoring';
import { selfReportGap } from '../core/federation/aggregation/self-reports';
import { decodeState, encodeState } from '../core/federation/strategies/server-state';
import { strategyByName } from '../core/federation/strategies';
import { type Proposal } from '../core/federation/strategies/strategy';
import {
  checkUpdates,
  countReasons,
  requireUpdates,
  type CheckedUpdate,
  type LeftOutDevice,
} from '../core/federation/aggregation/update-checks';
import { mean, plus } from '../core/federation/vectors';
import { logDeployment, type Deployments } from '../core/model/deployments';
import { sha256Of } from '../core/model/model-file';
import { parameterCount } from '../core/model/types';
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
  { producer, deployments, inbox }: AggregateDependencies,
  plan: RoundPlan,
  trained: Trained,
  scoredTo: number,
  evidence: readonly number[],
): Promise<AggregateResult> {
  const base = deployments.find(plan.champion);
  if (base === undefined)
    throw new FedloopError('NotFound', `the champion ${plan.champion} is not in model-deployments`);
  const strategy = strategyByName(plan.strategy);

  const chunks = await inbox.updates(plan, trained.last);
  const selected = inbox.selected(plan);
  const checked = checkUpdates(chunks, {
    round: plan.round,
    attempt: plan.attempt,
    baseVersion: plan.champion,
    parameters: parameterCount(base.model.metadata.shape),
    isSelected: (site, deviceId) => selected.get(site)?.has(deviceId) ?? false,
  });
  const notGood = [...checked.leftOut, ...unreadableDevices(await inbox.unreadable(plan, trained.last))];
  const updates = checked.good;
  await publishLeftOut(producer, plan, notGood);
  if (updates.length < plan.minUpdates) {
    const nothing = { version: null, real: [], proposals: [] };
    await publishOutcomes(producer, plan, { ...nothing, updates, leftOut: notGood });
  }
  requireUpdates({ good: updates, leftOut: notGood }, plan.minUpdates);
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
  for (const proposal of aggregation.proposals) {
    await publishProposal(
      producer,
      plan,
      proposal.role ?? PROPOSALS.sole,
      plus(base.model.weights, proposal.delta),
    );
  }
  await logDeployment(producer, [
    { type: 'server-state', kind: 'pending', round: plan.round, state: encodeState(aggregation.state) },
  ]);
  await publishOutcomes(producer, plan, {
    version: versionOfRound(plan.round),
    updates,
    real,
    leftOut: notGood,
    proposals: aggregation.proposals,
  });

  const chosen = aggregation.proposals.find(({ role }) => role !== 'responsive') ?? aggregation.proposals[0];
  const dropped = updates.flatMap((_, index) => {
    const reason = chosen?.leftOut[index] ?? null;
    return reason === null ? [] : [{ reason }];
  });
  return {
    proposals: aggregation.proposals.map(({ role }) => role ?? PROPOSALS.sole),
    trained: updates.length,
    used: updates.length - dropped.length,
    leftOut: countReasons([...notGood, ...dropped]),
    selfReportedAccuracy: mean(updates.map(({ selfReportedAccuracy }) => selfReportedAccuracy)),
    localRealAccuracy: meanKnown(real.map(({ long }) => long)),
    selfReportGap: selfReportGap(
      updates.map(({ deviceId, selfReportedAccuracy }, index) => ({
        deviceId,
        selfReportedAccuracy,
        realAccuracy: real[index]?.long ?? null,
      })),
    ),
    contributors: aggregation.proposals.map((proposal) => contributorsOf(proposal, updates)),
    feedbackUsed: {
      ...trained.feedbackUsed,
      ...aggregation.feedbackUsed,
      updates_clipped: aggregation.clipped,
      ...(aggregation.epsilon === null ? {} : { epsilon_spent: aggregation.epsilon }),
    },
    wantsPanels: aggregation.proposals.some(({ role }) => role !== null),
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
