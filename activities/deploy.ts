import { type Lineage } from '../core/contracts/deployments';
import { versionIdSchema, versionOfRound } from '../core/contracts/ids';
import { type PanelScore } from '../core/contracts/site-reports';
import { type AggregateResult, type DeployResult, type RoundPlan } from '../core/contracts/steps';
import { chooseCandidates, type JudgedProposal } from '../core/federation/panels/choose-candidates';
import { requireUndecided } from './shared/decided';
import {
  deployCandidates,
  judged,
  type Candidate,
  type DeployDependencies,
} from './shared/deploy-candidates';
import { combinedSums, possiblePanelScores } from './shared/possible-reports';
import { PROPOSALS, REFITS } from './shared/proposals';
import { trainedBase } from './shared/registry';

/** Of past rounds, as `ask` found it. */
export interface Evidence {
  readonly networks: readonly number[];
  readonly linear: readonly number[];
}

/**
 * Step 5: choose the candidates by the proposals' scores on panels and by past rounds, and deploy them: the elected one as `v<round>`,
 * the other beside it under its role's name, so that the next rounds have evidence.
 * @throws FedloopError `RoundOvertaken` for a closed round.
 */
export async function deploy(
  { producer, deployments, inbox }: DeployDependencies,
  plan: RoundPlan,
  aggregated: AggregateResult,
  evidence: Evidence,
): Promise<DeployResult> {
  await requireUndecided(deployments, plan);
  const base = trainedBase(deployments, plan.champion);
  const sites = await inbox.descriptions(plan);
  const { possible: panelScores, refused } = possiblePanelScores(await inbox.panelScores(plan), sites);
  const sums = await inbox.refitSums(plan);
  const { shape } = base.model.metadata;
  const summed = [...REFITS.map(({ of }) => of), PROPOSALS.linear];
  const refusedSums = summed.flatMap((proposal) => combinedSums(sums, sites, proposal, shape).refused);
  const { candidates, feedbackUsed: chosenBy } = candidatesOf(plan, aggregated, panelScores, evidence);
  // A process that has read the panels' scores has read the refits too: they were published first.
  const feedbackUsed = {
    ...chosenBy,
    ...(aggregated.wantsPanels && {
      steady_refit_share: inbox.refitShare(plan, PROPOSALS.steadyRefitted),
      refit_share: inbox.refitShare(plan, PROPOSALS.responsiveRefitted),
      linear_share: inbox.refitShare(plan, PROPOSALS.linear),
      impossible_panel_scores: refused,
      impossible_refit_sums: refusedSums.length,
    }),
  };
  return deployCandidates({ producer, deployments, inbox }, plan, {
    candidates,
    base,
    contributors: aggregated.contributors,
    panelScores,
    feedbackUsed,
    training: { take: plan.takes?.train ?? plan.attempt, windows: plan.training.windows },
    saying: (role) =>
      role === null ? `made by ${plan.strategy}` : `the ${role} candidate of ${plan.strategy}`,
  });
}

/** The elected candidate first. */
function candidatesOf(
  plan: RoundPlan,
  aggregated: AggregateResult,
  panelScores: readonly PanelScore[],
  evidence: Evidence,
): { readonly candidates: readonly Candidate[]; readonly feedbackUsed: Lineage['feedback_used'] } {
  const version = versionOfRound(plan.round);
  if (!aggregated.wantsPanels) {
    return {
      candidates: [{ version, role: null, network: null, proposal: PROPOSALS.sole }],
      feedbackUsed: aggregated.feedbackUsed,
    };
  }
  const judgedPair = (
    proposal: string,
    refit: string,
  ): { proposal: JudgedProposal; refitted: JudgedProposal | null } => ({
    proposal: judged(panelScores, proposal),
    refitted: panelScores.some((score) => score.proposal === refit) ? judged(panelScores, refit) : null,
  });
  const hasLinear = panelScores.some(({ proposal }) => proposal === PROPOSALS.linear);
  const chosen = chooseCandidates({
    parts: plan.parts,
    steady: judgedPair(PROPOSALS.steady, PROPOSALS.steadyRefitted),
    responsive: judgedPair(PROPOSALS.responsive, PROPOSALS.responsiveRefitted),
    evidence: evidence.networks,
    linearEvidence: hasLinear ? evidence.linear : undefined,
  });
  // A responsive proposal that the gate stopped is not deployed; the champion stands in for it on the live windows.
  const isStopped = chosen.responsive === 'champion';
  const network = isStopped ? 'steady' : chosen.network;
  const elected = isStopped && chosen.elected === 'responsive' ? 'steady' : chosen.elected;
  const made: readonly Omit<Candidate, 'version'>[] = [
    {
      role: 'steady',
      network: null,
      proposal: chosen.steady === 'refitted' ? PROPOSALS.steadyRefitted : PROPOSALS.steady,
    },
    ...(isStopped
      ? []
      : [
          {
            role: 'responsive',
            network: null,
            proposal: chosen.responsive === 'refitted' ? PROPOSALS.responsiveRefitted : PROPOSALS.responsive,
          } as const,
        ]),
    ...(hasLinear ? [{ role: 'linear', network, proposal: PROPOSALS.linear } as const] : []),
  ];
  const serving = made.find(({ role }) => role === elected);
  const candidates = made
    .toSorted((one, other) => Number(other === serving) - Number(one === serving))
    .map((own) => ({
      ...own,
      version: own === serving ? version : versionIdSchema.parse(`${version}-${own.role ?? ''}`),
    }));
  return { candidates, feedbackUsed: { ...aggregated.feedbackUsed, ...chosen.feedbackUsed } };
}
