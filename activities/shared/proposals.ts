import { type SiteName } from '../../core/contracts/ids';
import { type LoopParts } from '../../core/contracts/rounds';
import { sentIn, type RoundRef } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import { updateKey, type CandidateHeader } from '../../core/contracts/updates';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../../core/federation/constants';
import { type Proposal } from '../../core/federation/strategies/strategy';
import { type FlatWeights } from '../../core/model/types';
import { encodeFrame } from '../../core/platform/frames';
import { type Producer } from '../../core/platform/kafka';

/** Names of a round's proposals: those that the strategy made, and their refits. */
export const PROPOSALS = {
  steady: 'steady',
  responsive: 'responsive',
  /** The same with their output layers refitted from the sites' sums. */
  steadyRefitted: 'steady-refitted',
  responsiveRefitted: 'responsive-refitted',
  /** What follows the fleet's linear model, beside the networks. */
  linear: 'linear',
  /** The proposal of a strategy that makes only one. */
  sole: 'sole',
} as const;

/** Under what name a strategy's proposal is published. */
export function nameOfProposal({ role }: Pick<Proposal, 'role'>): string {
  return role ?? PROPOSALS.sole;
}

/** The proposal that the strategy makes without one site's updates: no candidate, only measured. */
export function nameWithout(site: SiteName): string {
  return `without/${site}`;
}

/** Each update's share in a proposal, in the order of the updates that count. They travel as its weights do. */
export function nameOfShares(proposal: string): string {
  return `shares/${proposal}`;
}

/** Which proposals are refitted, with which part of the loop, from how many windows, and the refit's name. */
export const REFITS = [
  {
    part: 'steadyRefit',
    of: PROPOSALS.steady,
    into: PROPOSALS.steadyRefitted,
    windows: LONG_WINDOWS,
  },
  {
    part: 'refit',
    of: PROPOSALS.responsive,
    into: PROPOSALS.responsiveRefitted,
    windows: RECENT_WINDOWS,
  },
] as const satisfies readonly {
  readonly part: keyof LoopParts;
  readonly of: string;
  readonly into: string;
  readonly windows: number;
}[];

/** Publish a proposal's weights under its name, so that later steps can refer to it; a refit with the share of its step. */
export async function publishProposal(
  producer: Producer,
  ref: RoundRef,
  name: string,
  weights: FlatWeights,
  refitShare: number | null = null,
): Promise<void> {
  const header: CandidateHeader = {
    type: 'candidate',
    ...sentIn(ref, refitShare === null ? 'aggregate' : 'refit'),
    name,
    parameters: weights.length,
    refit_share: refitShare,
  };
  await producer.send(TOPICS.updates.name, [
    { key: updateKey('candidate', ref.round, name), value: encodeFrame(header, weights) },
  ]);
}
