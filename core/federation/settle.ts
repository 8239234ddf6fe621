import { type CandidateRole } from '../contracts/deployments';
import { type LoopParts } from '../contracts/rounds';
import { acceptsRefit } from './acceptance';
import { electCandidate, type Election } from './evidence';
import { panelGate } from './panel-gate';
import { type PanelTally } from './panel-tally';

/** How a proposal did on panels B and C, summed over sites. */
export interface JudgedProposal {
  readonly b: PanelTally;
  readonly c: PanelTally;
}

export interface SettleRequest {
  readonly parts: LoopParts;
  /** The responsive proposal, and its refit where there is one. */
  readonly responsive: JudgedProposal;
  readonly refitted: JudgedProposal | null;
  /** Responsive − steady on the live windows of past rounds, oldest first. */
  readonly evidence: readonly number[];
}

export interface Settled {
  /** What serves as the responsive candidate: `champion` when the gate found the proposal worse. */
  readonly responsive: 'proposal' | 'refitted' | 'champion';
  readonly elected: CandidateRole;
  readonly election: Election | null;
  /** For the round's lineage. */
  readonly feedbackUsed: Readonly<Record<string, string | number | boolean | null>>;
}

/**
 * Settle what the panels and past rounds say: is the refit kept (B), does the responsive candidate pass the gate (C), and which candidate
 * serves (evidence). With the evidence rule switched off the responsive one does.
 */
export function settleRound({ parts, responsive, refitted, evidence }: SettleRequest): Settled {
  const accepted = refitted !== null && acceptsRefit(responsive.b, refitted.b);
  const proposal = accepted ? refitted : responsive;
  const gate = parts.panelGate ? panelGate(proposal.c) : null;
  const election = parts.evidenceRule ? electCandidate(evidence) : null;
  const proposed = accepted ? 'refitted' : 'proposal';
  return {
    responsive: gate?.pass === false ? 'champion' : proposed,
    elected: election?.elected ?? 'responsive',
    election,
    feedbackUsed: {
      refit: refitted === null ? 'none' : accepted ? 'accepted' : 'refused',
      panel_gate: gate === null ? 'off' : gate.pass ? 'passed' : 'kept the champion',
      panel_difference: gate?.difference ?? null,
      elected_by: election?.reason ?? 'the evidence rule is off',
    },
  };
}
