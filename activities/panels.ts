import { type PanelScore, type PanelSums, type RoundPlan } from '../core/contracts/steps';
import { sumPanel, tallyProposals } from '../core/federation/panel-scoring';
import { recentSamples } from '../core/federation/samples';
import { REFITS } from './shared/proposals';
import { type Site } from './shared/site';

/** This site's sums, of which the aggregator refits the proposals' output layers: for the steady one over a day, for the responsive one over the last windows. */
export async function sumPanels(site: Site, plan: RoundPlan): Promise<readonly PanelSums[]> {
  const { shape } = site.champion(plan).model.metadata;
  const samples = site.refitSamples(plan);
  const sums: PanelSums[] = [];
  for (const { part, of: proposal, windows } of REFITS) {
    if (!plan.parts[part]) continue;
    const weights = await site.dependencies.inbox.proposal(plan, proposal);
    const { rows, gram, moment } = sumPanel(shape, weights, recentSamples(samples, windows));
    sums.push({ site: site.dependencies.site, proposal, rows, gram: [...gram], moment: [...moment] });
  }
  return sums;
}

/** How every proposal does on this site's panels B (acceptance of refits) and C (gate), beside the champion. */
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
