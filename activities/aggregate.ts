import { FedloopError } from '../core/contracts/errors';
import { versionOfRound } from '../core/contracts/ids';
import {
  type AggregateResult,
  type MessageRange,
  type RoundPlan,
  type TrainResult,
} from '../core/contracts/steps';
import { TOPICS } from '../core/contracts/topics';
import { updateKey, type OutcomeMessage } from '../core/contracts/updates';
import { aggregateRound } from '../core/federation/aggregate';
import { realAccuracies } from '../core/federation/local-scoring';
import { decodeState, encodeState } from '../core/federation/server-state';
import { strategyByName } from '../core/federation/strategies';
import { type Proposal, type RealAccuracy } from '../core/federation/strategies/strategy';
import {
  checkUpdates,
  countReasons,
  requireUpdates,
  type CheckedUpdate,
  type LeftOutDevice,
} from '../core/federation/update-checks';
import { mean, plus } from '../core/federation/vectors';
import { logDeployment, type Deployments } from '../core/model/deployments';
import { parameterCount } from '../core/model/types';
import { type Producer } from '../core/platform/kafka';
import { seededRandom } from '../core/platform/random';
import { PROPOSALS, publishProposal } from './shared/proposals';
import { type UpdateInbox } from './shared/update-inbox';

/** Devices in one message of outcomes: about 100 bytes each, well below a record's limit. */
const OUTCOMES_PER_MESSAGE = 2_000;

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
  trained: readonly TrainResult[],
  scored: readonly MessageRange[],
  evidence: readonly number[],
): Promise<AggregateResult> {
  const base = deployments.find(plan.champion);
  if (base === undefined)
    throw new FedloopError('NotFound', `the champion ${plan.champion} is not in model-deployments`);
  const strategy = strategyByName(plan.strategy);

  const chunks = await inbox.updates(
    plan,
    trained.map(({ last }) => last),
  );
  const selected = inbox.selected(plan);
  const checked = checkUpdates(
    chunks.map(({ header, deltas }) => ({ header, deltas })),
    {
      round: plan.round,
      attempt: plan.attempt,
      baseVersion: plan.champion,
      parameters: parameterCount(base.model.metadata.shape),
      isSelected: (site, deviceId) => selected.get(site)?.has(deviceId) ?? false,
    },
  );
  requireUpdates(checked, plan.minUpdates);
  const updates = checked.good;
  const real = realAccuracies(
    await inbox.scores(
      plan,
      scored.map(({ last }) => last),
    ),
    updates,
  );

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
  await publishOutcomes(producer, plan, updates, real, checked.leftOut, aggregation.proposals);

  const chosen = aggregation.proposals.find(({ role }) => role !== 'responsive') ?? aggregation.proposals[0];
  const dropped = updates.flatMap((_, index) => {
    const reason = chosen?.leftOut[index] ?? null;
    return reason === null ? [] : [{ reason }];
  });
  return {
    proposals: aggregation.proposals.map(({ role }) => role ?? PROPOSALS.sole),
    trained: updates.length,
    used: updates.length - dropped.length,
    leftOut: countReasons([...checked.leftOut, ...dropped]),
    selfReportedAccuracy: mean(updates.map(({ selfReportedAccuracy }) => selfReportedAccuracy)),
    localRealAccuracy: meanKnown(real.map(({ long }) => long)),
    feedbackUsed: {
      ...trained[0]?.feedbackUsed,
      ...aggregation.feedbackUsed,
      updates_clipped: aggregation.clipping.clipped,
      ...(aggregation.epsilon === null ? {} : { epsilon_spent: aggregation.epsilon }),
    },
    wantsPanels: aggregation.proposals.some(({ role }) => role !== null),
  };
}

async function publishOutcomes(
  producer: Producer,
  plan: RoundPlan,
  updates: readonly CheckedUpdate[],
  real: readonly RealAccuracy[],
  leftOut: readonly LeftOutDevice[],
  proposals: readonly Proposal[],
): Promise<void> {
  // With two candidates the one that cannot leave anybody out tells the weights; the other's reasons stand beside them.
  const weighing = proposals.find(({ role }) => role === 'responsive') ?? proposals[0];
  const choosing = proposals.find(({ role }) => role === 'steady') ?? proposals[0];
  const rows = [
    ...updates.map((update, index) => ({
      deviceId: update.deviceId,
      site: update.site,
      rows: update.rows,
      selfReported: update.selfReportedAccuracy,
      real: real[index]?.long ?? null,
      weight: weighing?.weights[index] ?? 0,
      leftOut: choosing?.leftOut[index] ?? null,
    })),
    ...leftOut.map(({ deviceId, site, reason }) => ({
      deviceId,
      site,
      rows: 0,
      selfReported: null,
      real: null,
      weight: 0,
      leftOut: reason,
    })),
  ];
  const messages: OutcomeMessage[] = [];
  for (let first = 0; first < rows.length; first += OUTCOMES_PER_MESSAGE) {
    const part = rows.slice(first, first + OUTCOMES_PER_MESSAGE);
    messages.push({
      type: 'outcome',
      round: plan.round,
      attempt: plan.attempt,
      version: versionOfRound(plan.round),
      device_id: part.map(({ deviceId }) => deviceId),
      site: part.map(({ site }) => site),
      rows: part.map((row) => row.rows),
      self_reported_accuracy: part.map(({ selfReported }) => selfReported),
      real_accuracy: part.map((row) => row.real),
      weight: part.map(({ weight }) => weight),
      left_out: part.map((row) => row.leftOut),
    });
  }
  await producer.send(
    TOPICS.updates.name,
    messages.map((message, index) => ({
      key: updateKey('outcome', plan.round, index),
      value: JSON.stringify(message),
    })),
  );
}

function meanKnown(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : mean(known);
}
