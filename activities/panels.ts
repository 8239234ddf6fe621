import { type PanelScore, type PanelSums } from '../core/contracts/site-reports';
import { sentIn, type SitePlan } from '../core/contracts/steps';
import { LINEAR_WINDOWS } from '../core/federation/constants';
import { linearSums } from '../core/federation/panels/linear';
import { sumPanel, tallyProposals } from '../core/federation/panels/panel-scoring';
import { linearBefore } from './shared/linear';
import { PROPOSALS, REFITS } from './shared/proposals';
import { type Site } from './shared/site';
import { publishReports } from './shared/site-reports';

/**
 * Publish this site's sums, from which the aggregator refits the proposals' output layers: for the steady one over a day, for the responsive
 * one over the last windows; and those of the fleet's linear model.
 * @returns names of the proposals whose sums were published.
 */
export async function sumPanels(site: Site, plan: SitePlan): Promise<readonly string[]> {
  const { inbox, producer, site: name } = site.dependencies;
  const { shape } = site.champion(plan).model.metadata;
  const reports: PanelSums[] = [];
  for (const { part, of: proposal, windows } of REFITS) {
    if (!plan.parts[part]) continue;
    const weights = await inbox.proposal(plan, proposal);
    const sums = sumPanel(shape, weights, await site.refitSamples(plan, windows), windows);
    reports.push({ type: 'refit-sums', ...sentIn(plan, 'sum panels'), site: name, proposal, ...sums });
  }
  if (plan.parts.linear) {
    const samples = await site.refitSamples(plan, LINEAR_WINDOWS);
    const before = linearBefore(site.dependencies.deployments, plan.round, shape);
    const sums = linearSums(before, samples, LINEAR_WINDOWS);
    const sent = { ...sentIn(plan, 'sum panels'), site: name, proposal: PROPOSALS.linear };
    reports.push({ type: 'refit-sums', ...sent, ...sums });
  }
  await publishReports(producer, reports);
  return reports.map(({ proposal }) => proposal);
}

/**
 * Publish how every proposal does on this site's panels B (acceptance of refits) and C (gate), beside the champion.
 * @returns names of the proposals whose scores were published.
 */
export async function scoreProposals(
  site: Site,
  plan: SitePlan,
  names: readonly string[],
): Promise<readonly string[]> {
  const { inbox, producer, site: siteName } = site.dependencies;
  const champion = site.champion(plan).model.weights;
  const predictor = await site.modelsOnSamples();
  const weights = await Promise.all(names.map((name) => inbox.proposal(plan, name)));
  const panelB = await site.panelSamples(plan, 'B', 'recent');
  const panelC = await site.panelSamples(plan, 'C', 'recent');
  const b = await tallyProposals(predictor, champion, weights, panelB);
  const c = await tallyProposals(predictor, champion, weights, panelC);
  const reports = names.flatMap((proposal, index): PanelScore[] => {
    const tallies = { b: b[index], c: c[index] };
    if (tallies.b === undefined || tallies.c === undefined) return [];
    const sent = { ...sentIn(plan, 'score proposals'), site: siteName };
    return [{ type: 'panel-score', ...sent, proposal, b: tallies.b, c: tallies.c }];
  });
  await publishReports(producer, reports);
  return reports.map(({ proposal }) => proposal);
}
