import { type CandidateRole } from '../../contracts/deployments';
import { type LoopParts } from '../../contracts/rounds';
import { electCandidate, type Election } from '../promotion/elect-candidate';
import { acceptsRefit, panelGate } from './panel-gate';
import { type PanelTally } from './panel-tally';

/** How a proposal did on panels B and C, summed over sites. */
export interface JudgedProposal {
  readonly b: PanelTally;
  readonly c: PanelTally;
}

/** A proposal, and its refit where there is one. */
export interface RefittedProposal {
  readonly proposal: JudgedProposal;
  readonly refitted: JudgedProposal | null;
}

export interface SettleRequest {
  readonly parts: LoopParts;
  readonly steady: RefittedProposal;
  readonly responsive: RefittedProposal;
  /** Responsive − steady on the live windows of past rounds, oldest first. */
  readonly evidence: readonly number[];
}

export interface Settled {
  readonly steady: 'proposal' | 'refitted';
  /** What serves as the responsive candidate: `champion` when the gate found the proposal worse. */
  readonly responsive: 'proposal' | 'refitted' | 'champion';
  readonly elected: CandidateRole;
  readonly election: Election | null;
  /** For the round's lineage. */
  readonly feedbackUsed: Readonly<Record<string, string | number | boolean | null>>;
}

/**
 * Settle what the panels and past rounds say: are the refits kept (B), does the responsive candidate pass the gate (C), and which candidate
 * serves (evidence). With the evidence rule switched off the responsive one does.
 */
export function settleRound({ parts, steady, responsive, evidence }: SettleRequest): Settled {
  const steadyRefit = acceptRefit(steady, parts.steadyRefit);
  const responsiveRefit = acceptRefit(responsive, parts.refit);
  const gate = parts.panelGate ? panelGate(responsiveRefit.kept.c) : null;
  const election = parts.evidenceRule ? electCandidate(evidence) : null;
  return {
    steady: steadyRefit.name,
    responsive: gate?.pass === false ? 'champion' : responsiveRefit.name,
    elected: election?.elected ?? 'responsive',
    election,
    feedbackUsed: {
      steady_refit: steadyRefit.said,
      refit: responsiveRefit.said,
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
  readonly said: 'off' | 'not made: nothing repeats over time' | 'accepted' | 'refused';
} {
  if (refitted === null) {
    const said = isOn ? 'not made: nothing repeats over time' : 'off';
    return { name: 'proposal', kept: proposal, said };
  }
  return acceptsRefit(proposal.b, refitted.b)
    ? { name: 'refitted', kept: refitted, said: 'accepted' }
    : { name: 'proposal', kept: proposal, said: 'refused' };
}
