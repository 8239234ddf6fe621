import { type CandidateRole } from '../core/contracts/deployments';
import { FIRST_VERSION, versionOfRound } from '../core/contracts/ids';
import { FedloopError } from '../core/contracts/errors';
import { type LoopParts } from '../core/contracts/rounds';
import { type RefitBegun, type RefitDeployment } from '../core/contracts/refits';
import { type RoundPlan } from '../core/contracts/steps';
import { LINEAR_WINDOWS, MIN_REFIT_GAIN } from '../core/federation/constants';
import { acceptsRefit } from '../core/federation/panels/panel-gate';
import { encodeState, stateFor } from '../core/federation/strategies/server-state';
import { logDeployment, type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { requireUndecided } from './shared/decided';
import { deployCandidates, judged, type DeployDependencies } from './shared/deploy-candidates';
import { releasesWithNoise } from './shared/privacy-ledger';
import { combinedSums, possiblePanelScores } from './shared/possible-reports';
import { PROPOSALS, publishProposal, REFITS } from './shared/proposals';
import { deployedVersion, trainedBase } from './shared/registry';

/**
 * A refit between rounds begins: the champion itself is the proposal. A network gets its output layer refitted, as candidates of its role do; a linear
 * model is fitted anew.
 * @throws FedloopError `InvalidInput` while nothing that was trained serves, and where the fleet has a privacy budget; `RoundOvertaken` for a closed round
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
  if (releasesWithNoise(deployments)) {
    throw new FedloopError(
      'InvalidInput',
      'the fleet has trained with noise: a refit would release exact sums',
      {
        hint: 'Start a round with "privacy" instead.',
      },
    );
  }
  const { part, standsFor: proposal } = remakingOf(message.lineage.role);
  await publishProposal(producer, plan, proposal, model.weights);
  // The strategy goes on from where it stands.
  const current = deployments.serverState('current')?.state;
  const state = current ?? encodeState(stateFor(plan.strategy, null, model.weights.length));
  await logDeployment(producer, [{ type: 'server-state', kind: 'pending', round: plan.round, state }]);
  const none = { refit: false, steadyRefit: false, linear: false, contribution: false };
  return { proposal, parts: { ...plan.parts, ...none, [part]: true } };
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
  const { lineage } = deployedVersion(deployments, champion).message;
  const { of, into, standsFor, windows } = remakingOf(lineage.role);
  const before = judged(panelScores, standsFor).b;
  const made = judged(panelScores, into).b;
  if (made.rows === 0 || before.rows === 0)
    return { outcome: 'refused', reason: `no refit of ${champion}: nothing in the sites' sums repeats` };
  const [own, other] = [made.softCorrect / made.rows, before.softCorrect / before.rows];
  if (!acceptsRefit(before, made, MIN_REFIT_GAIN)) {
    const figures = `${(100 * own).toFixed(2)} against ${(100 * other).toFixed(2)} of 100`;
    return {
      outcome: 'refused',
      reason: `panel B does not find the refit of ${champion} better: ${figures}`,
    };
  }
  const refusedSums = combinedSums(await inbox.refitSums(plan), sites, of, base.model.metadata.shape).refused;
  const deployed = await deployCandidates(dependencies, plan, {
    // It keeps the champion's role.
    candidates: [{ version: versionOfRound(plan.round), role: lineage.role, network: null, proposal: into }],
    base,
    contributors: [],
    panelScores,
    feedbackUsed: {
      refit_of: champion,
      refit: 'accepted',
      refit_share: inbox.refitShare(plan, into),
      panel_b_gain: own - other,
      impossible_panel_scores: refused,
      impossible_refit_sums: refusedSums.length,
    },
    training: { take: null, windows },
    saying: () => `${champion} refitted to the last ${windows} windows, between rounds`,
  });
  return { outcome: 'deployed', deployed };
}

/** How a champion is made anew. */
interface Remaking {
  readonly part: keyof LoopParts;
  /** The proposal of whose sums it is made, and the name of what comes out. */
  readonly of: string;
  readonly into: string;
  /** The newest windows that it is made of. */
  readonly windows: number;
  /** The proposal that is the champion as it is. */
  readonly standsFor: string;
}

const [STEADY, RESPONSIVE] = REFITS;

/** As candidates of the champion's role are; one without a role as a steady one. */
function remakingOf(role: CandidateRole | null): Remaking {
  const { linear, steady: standsFor } = PROPOSALS;
  if (role === 'linear')
    return { part: 'linear', of: linear, into: linear, windows: LINEAR_WINDOWS, standsFor };
  const own = role === 'responsive' ? RESPONSIVE : STEADY;
  return { ...own, standsFor: own.of };
}
