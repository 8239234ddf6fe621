import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ContributionPlan } from '../../core/contracts/contribution';
import { type SiteName } from '../../core/contracts/ids';
import { type RoundPlan } from '../../core/contracts/steps';
import { isOwnStrategy } from '../../core/contracts/strategies';
import { clipUpdates } from '../../core/federation/aggregation/aggregate';
import { MAX_EXACT_MILLIS, MAX_EXACT_SITES } from '../../core/federation/constants';
import {
  isWeightedMean,
  measuredProposal,
  sitesOf,
  stepWithoutSite,
  type SiteAggregateRequest,
} from '../../core/federation/contribution/leave-site-out';
import { strategyByName } from '../../core/federation/strategies';
import { type Proposal } from '../../core/federation/strategies/strategy';
import { plus } from '../../core/federation/vectors';
import { type Producer } from '../../core/platform/kafka';
import { nameOfProposal, nameOfShares, nameWithout, publishProposal } from './proposals';

/** A round's request without what its strategy is. */
export type ContributionRequest = Omit<SiteAggregateRequest, 'strategy' | 'noise'>;

/**
 * Publish what contributions are measured on: the shares of the updates in the proposal that is measured, and the proposals that the strategy makes
 * without each site.
 * @returns null where that part of the round is off
 */
export async function planContribution(
  producer: Producer,
  plan: RoundPlan,
  request: ContributionRequest,
  proposals: readonly Proposal[],
): Promise<ContributionPlan | null> {
  const proposal = measuredProposal(proposals);
  // A workflow of an earlier release names no such part.
  if (!plan.parts.contribution || proposal === undefined) return null;
  const name = nameOfProposal(proposal);
  const refused = refusalOf(plan, request);
  if (refused !== null) return { proposal: name, refused, sites: [], isMean: true, note: null };
  const { deltas } = clipUpdates(request);
  const isMean = isWeightedMean(
    proposal,
    deltas.map((delta) => ({ delta })),
  );
  await publishProposal(producer, plan, nameOfShares(name), Float32Array.from(proposal.weights));
  const present = sitesOf(request.updates);
  const note = whyNoSites(plan, present.length);
  const sites = note === null ? await leaveOutSites(producer, plan, request, present) : [];
  return { proposal: name, refused: null, sites, isMean, note };
}

/** Leaving one out would undo the noise; of one update nothing is left. */
function refusalOf({ privacy }: RoundPlan, { updates }: ContributionRequest): string | null {
  if (privacy !== null)
    return 'a round with privacy measures no contributions: what leaving one out shows, its noise hides';
  return updates.length < 2 ? 'there is one update, and nothing without it' : null;
}

function whyNoSites({ strategy }: RoundPlan, sites: number): string | null {
  if (sites < 2) return 'one site sent updates: there is nothing without it';
  if (sites > MAX_EXACT_SITES)
    return `of ${sites} sites, more than ${MAX_EXACT_SITES}, contributions are in the additive form alone`;
  return isOwnStrategy(strategy)
    ? 'a strategy of one’s own runs once a round: contributions are in the additive form alone'
    : null;
}

async function leaveOutSites(
  producer: Producer,
  plan: RoundPlan,
  request: ContributionRequest,
  present: readonly SiteName[],
): Promise<ContributionPlan['sites']> {
  const { strategy } = plan;
  if (isOwnStrategy(strategy)) return [];
  const whole: SiteAggregateRequest = { ...request, strategy: strategyByName(strategy), noise: null };
  const began = performance.now();
  const sites: ContributionPlan['sites'][number][] = [];
  for (const site of present) {
    // Heartbeats go out between two sites.
    await nextTurn();
    if (performance.now() - began > MAX_EXACT_MILLIS) {
      sites.push({ site, without: null, refused: `${strategy} took too long for the sites before it` });
      continue;
    }
    const { delta, refused } = stepWithoutSite(whole, site);
    const without = delta === null ? null : nameWithout(site);
    if (delta !== null && without !== null)
      await publishProposal(producer, plan, without, plus(request.base, delta));
    sites.push({ site, without, refused });
  }
  return sites;
}
