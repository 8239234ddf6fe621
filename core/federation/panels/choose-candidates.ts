import { type CandidateRole, type Lineage } from '../../contracts/deployments';
import { type LoopParts } from '../../contracts/rounds';
import { type PanelScore } from '../../contracts/site-reports';
import { electCandidate } from '../promotion/elect-candidate';
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
}

export interface ChosenCandidates {
  readonly steady: 'proposal' | 'refitted';
  /** What serves as the responsive candidate: `champion` when the gate found the proposal worse. */
  readonly responsive: 'proposal' | 'refitted' | 'champion';
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
}: CandidateRequest): ChosenCandidates {
  const steadyRefit = acceptRefit(steady, parts.steadyRefit);
  const responsiveRefit = acceptRefit(responsive, parts.refit);
  const gate = parts.panelGate ? panelGate(responsiveRefit.kept.c) : null;
  const election = parts.evidenceRule ? electCandidate(evidence) : null;
  return {
    steady: steadyRefit.name,
    responsive: gate?.pass === false ? 'champion' : responsiveRefit.name,
    elected: election?.elected ?? 'responsive',
    feedbackUsed: {
      steady_refit: steadyRefit.outcome,
      refit: responsiveRefit.outcome,
      panel_gate: gate === null ? 'off' : gate.pass ? 'passed' : 'kept the champion',
      panel_difference: gate?.difference ?? null,
      elected_by: election?.reason ?? 'the evidence rule is off',
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
