import { FIRST_VERSION, versionOfRound } from '../core/contracts/ids';
import { FedloopError } from '../core/contracts/errors';
import { type RefitBegun, type RefitDeployment } from '../core/contracts/refits';
import { type RoundPlan } from '../core/contracts/steps';
import { LINEAR_WINDOWS, MIN_REFIT_GAIN, RECENT_WINDOWS } from '../core/federation/constants';
import { acceptsRefit } from '../core/federation/panels/panel-gate';
import { encodeState, stateFor } from '../core/federation/strategies/server-state';
import { logDeployment, type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { requireUndecided } from './shared/decided';
import {
  deployCandidates,
  judged,
  type Candidate,
  type DeployDependencies,
} from './shared/deploy-candidates';
import { combinedSums, possiblePanelScores } from './shared/possible-reports';
import { PROPOSALS, publishProposal } from './shared/proposals';
import { deployedVersion, trainedBase } from './shared/registry';

/**
 * A refit between rounds begins: the champion itself is the proposal. A network gets its output layer refitted, as a responsive candidate does; a linear
 * model is fitted anew.
 * @throws FedloopError `InvalidInput` while nothing that was trained serves; `RoundOvertaken` for a closed round
 */
export async function proposeChampion(
  { producer, deployments }: { readonly producer: Producer; readonly deployments: Deployments },
  plan: RoundPlan,
): Promise<RefitBegun> {
  await requireUndecided(deployments, plan);
  const { model, message } = deployedVersion(deployments, plan.champion);
  if (plan.champion === FIRST_VERSION) {
    throw new FedloopError('InvalidInput', `${plan.champion} was not trained: a refit of it learns nothing`, {
      hint: 'Start a round.',
    });
  }
  const proposal = PROPOSALS.responsive;
  await publishProposal(producer, plan, proposal, model.weights);
  // The strategy goes on from where it stands.
  const current = deployments.serverState('current')?.state;
  const state = current ?? encodeState(stateFor(plan.strategy, null, model.weights.length));
  await logDeployment(producer, [{ type: 'server-state', kind: 'pending', round: plan.round, state }]);
  const isLinear = message.lineage.role === 'linear';
  return {
    proposal,
    parts: { ...plan.parts, refit: !isLinear, steadyRefit: false, linear: isLinear, contribution: false },
  };
}

/**
 * Deploy what the champion became as candidate `v<round>`, where panel B finds it better than the champion.
 * @throws FedloopError `RoundOvertaken` for a closed round
 */
export async function deployRefit(
  dependencies: DeployDependencies,
  plan: RoundPlan,
): Promise<RefitDeployment> {
  const { deployments, inbox } = dependencies;
  await requireUndecided(deployments, plan);
  const { champion } = plan;
  const base = trainedBase(deployments, champion);
  const sites = await inbox.descriptions(plan);
  const { possible: panelScores, refused } = possiblePanelScores(await inbox.panelScores(plan), sites);
  const candidate = candidateOf(plan);
  const [before, made] = [PROPOSALS.responsive, candidate.proposal].map(
    (name) => judged(panelScores, name).b,
  );
  if (before === undefined || made === undefined || made.rows === 0 || before.rows === 0)
    return { outcome: 'refused', reason: `no refit of ${champion}: nothing in the sites' sums repeats` };
  const scores = [made, before].map(({ softCorrect, rows }) => (100 * softCorrect) / rows);
  const [own = NaN, other = NaN] = scores;
  if (!acceptsRefit(before, made, MIN_REFIT_GAIN)) {
    const figures = `${own.toFixed(2)} against ${other.toFixed(2)} of 100`;
    return {
      outcome: 'refused',
      reason: `panel B does not find the refit of ${champion} better: ${figures}`,
    };
  }
  const of = candidate.role === 'linear' ? PROPOSALS.linear : PROPOSALS.responsive;
  const refusedSums = combinedSums(await inbox.refitSums(plan), sites, of, base.model.metadata.shape).refused;
  const windows = candidate.role === 'linear' ? LINEAR_WINDOWS : RECENT_WINDOWS;
  const deployed = await deployCandidates(dependencies, plan, {
    candidates: [candidate],
    base,
    contributors: [],
    panelScores,
    feedbackUsed: {
      refit_of: champion,
      refit: 'accepted',
      refit_share: inbox.refitShare(plan, candidate.proposal),
      panel_b_gain: (own - other) / 100,
      impossible_panel_scores: refused,
      impossible_refit_sums: refusedSums.length,
    },
    training: { take: null, windows },
    saying: () => `${champion} refitted to the last ${windows} windows, between rounds`,
  });
  return { outcome: 'deployed', deployed };
}

function candidateOf({ round, parts }: RoundPlan): Candidate {
  const version = versionOfRound(round);
  return parts.linear
    ? { version, role: 'linear', network: null, proposal: PROPOSALS.linear }
    : { version, role: 'responsive', network: null, proposal: PROPOSALS.responsiveRefitted };
}
