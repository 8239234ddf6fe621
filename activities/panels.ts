import { type PanelScore, type PanelSums, type RoundPlan } from '../core/contracts/steps';
import { sumPanel, tallyProposals } from '../core/federation/panel-scoring';
import { PROPOSALS } from './shared/proposals';
import { type Site } from './shared/site';

/** Sums of this site's panel A, of which the aggregator refits the responsive proposal's output layer. */
export async function sumPanels(site: Site, plan: RoundPlan): Promise<PanelSums> {
  const { shape } = site.champion(plan).model.metadata;
  const proposal = await site.dependencies.inbox.proposal(plan, PROPOSALS.responsive);
  const { rows, gram, moment } = sumPanel(shape, proposal, site.panelSamples(plan, 'A', 'recent'));
  return { site: site.dependencies.site, rows, gram: [...gram], moment: [...moment] };
}

/** How every proposal does on this site's panels B (acceptance of the refit) and C (gate), beside the champion. */
export async function scoreProposals(
  site: Site,
  plan: RoundPlan,
  names: readonly string[],
): Promise<readonly PanelScore[]> {
  const champion = site.champion(plan).model.weights;
  const predictor = await site.modelsOnSamples();
  const weights = await Promise.all(names.map((name) => site.dependencies.inbox.proposal(plan, name)));
  const b = await tallyProposals(predictor, champion, weights, site.panelSamples(plan, 'B', 'recent'));
  const c = await tallyProposals(predictor, champion, weights, site.panelSamples(plan, 'C', 'recent'));
  return names.flatMap((proposal, index) => {
    const tallies = { b: b[index], c: c[index] };
    if (tallies.b === undefined || tallies.c === undefined) return [];
    return [{ site: site.dependencies.site, proposal, b: tallies.b, c: tallies.c }];
  });
}
