import { type CandidateRole, type Lineage, type NetworkRole } from '../../contracts/deployments';
import { type LoopParts } from '../../contracts/rounds';
import { type PanelScore } from '../../contracts/site-reports';
import { electLinear, electNetwork } from '../promotion/elect-candidate';
import { acceptsRefit, panelGate } from './panel-gate';

/** How a proposal did on panels B and C, summed over sites. */
export type JudgedProposal = Readonly<Pick<PanelScore, 'b' | 'c'>>;

/** A proposal, and its refit where there is one. */
export interface RefittedProposal {
  readonly proposal: JudgedProposal;
  readonly refitted: JudgedProposal | null;
}

export interface CandidateRequest {
  readonly parts: LoopParts;
  readonly steady: RefittedProposal;
  readonly responsive: RefittedProposal;
  /** Responsive − steady on the live windows of past rounds, oldest first. */
  readonly evidence: readonly number[];
  /** Linear − the elected network on them; left out where there is no linear model. */
  readonly linearEvidence?: readonly number[] | undefined;
}

export interface ChosenCandidates {
  readonly steady: 'proposal' | 'refitted';
  /** What serves as the responsive candidate: `champion` when the gate found the proposal worse. */
  readonly responsive: 'proposal' | 'refitted' | 'champion';
  /** Of the two networks. */
  readonly network: NetworkRole;
  readonly elected: CandidateRole;
  /** For the round's lineage. */
  readonly feedbackUsed: Lineage['feedback_used'];
}

/**
 * Choose the round's candidates: panel B keeps or refuses each refit, panel C gates the responsive candidate where that part is on, and
 * the evidence of past rounds elects the one that serves. With the evidence rule switched off the responsive one serves.
 */
export function chooseCandidates({
  parts,
  steady,
  responsive,
  evidence,
  linearEvidence,
}: CandidateRequest): ChosenCandidates {
  const steadyRefit = acceptRefit(steady, parts.steadyRefit);
  const responsiveRefit = acceptRefit(responsive, parts.refit);
  const gate = parts.panelGate ? panelGate(responsiveRefit.kept.c) : null;
  const election = parts.evidenceRule ? electNetwork(evidence) : null;
  const network = election?.elected ?? 'responsive';
  const linear = linearEvidence === undefined ? null : electLinear(network, linearEvidence);
  return {
    steady: steadyRefit.name,
    responsive: gate?.pass === false ? 'champion' : responsiveRefit.name,
    network,
    elected: linear?.elected ?? network,
    feedbackUsed: {
      steady_refit: steadyRefit.outcome,
      refit: responsiveRefit.outcome,
      panel_gate: gate === null ? 'off' : gate.pass ? 'passed' : 'kept the champion',
      panel_difference: gate?.difference ?? null,
      elected_by: election?.reason ?? 'the evidence rule is off',
      ...(linear !== null && { linear: linear.reason }),
    },
  };
}

function acceptRefit(
  { proposal, refitted }: RefittedProposal,
  isOn: boolean,
): {
  readonly name: 'proposal' | 'refitted';
  readonly kept: JudgedProposal;
  readonly outcome: 'off' | 'not made: nothing repeats over time' | 'accepted' | 'refused';
} {
  if (refitted === null) {
    const outcome = isOn ? 'not made: nothing repeats over time' : 'off';
    return { name: 'proposal', kept: proposal, outcome };
  }
  return acceptsRefit(proposal.b, refitted.b)
    ? { name: 'refitted', kept: refitted, outcome: 'accepted' }
    : { name: 'proposal', kept: proposal, outcome: 'refused' };
}
