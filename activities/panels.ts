import { type ContributionPlan } from '../core/contracts/contribution';
import { type ContributionSums, type PanelScore, type PanelSums } from '../core/contracts/site-reports';
import { sentIn, type SitePlan } from '../core/contracts/steps';
import { LINEAR_WINDOWS } from '../core/federation/constants';
import { sumContributions } from '../core/federation/contribution/sum-contributions';
import { linearSums } from '../core/federation/panels/linear';
import { sumPanel, tallyProposals } from '../core/federation/panels/panel-scoring';
import { type Samples } from '../core/federation/training/samples';
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
 * Publish how every proposal does on this site's panels B (acceptance of refits) and C (gate), beside the champion, and on panel C what
 * sites and devices brought.
 * @returns names of the proposals whose scores were published.
 */
export async function scoreProposals(
  site: Site,
  plan: SitePlan,
  names: readonly string[],
  contribution?: ContributionPlan,
): Promise<readonly string[]> {
  const { inbox, producer, site: siteName } = site.dependencies;
  const champion = site.champion(plan).model.weights;
  const predictor = await site.modelsOnSamples();
  const weights = await Promise.all(names.map((name) => inbox.proposal(plan, name)));
  const panelB = await site.panelSamples(plan, 'B', 'recent');
  const panelC = await site.panelSamples(plan, 'C', 'recent');
  const b = await tallyProposals(predictor, champion, weights, panelB);
  const c = await tallyProposals(predictor, champion, weights, panelC);
  const scores = names.flatMap((proposal, index): PanelScore[] => {
    const tallies = { b: b[index], c: c[index] };
    if (tallies.b === undefined || tallies.c === undefined) return [];
    const sent = { ...sentIn(plan, 'score proposals'), site: siteName };
    return [{ type: 'panel-score', ...sent, proposal, b: tallies.b, c: tallies.c }];
  });
  const measured =
    contribution === undefined ? [] : [await contributionSums(site, plan, contribution, panelC)];
  await publishReports(producer, [...scores, ...measured]);
  return scores.map(({ proposal }) => proposal);
}

/** This site's sums on panel C for contributions to a proposal. */
async function contributionSums(
  site: Site,
  plan: SitePlan,
  { proposal, sites }: ContributionPlan,
  samples: Samples,
): Promise<ContributionSums> {
  const { inbox, site: name } = site.dependencies;
  const { shape } = site.champion(plan).model.metadata;
  const without = await Promise.all(
    sites.flatMap(({ site: left, without: made }) =>
      made === null ? [] : [inbox.proposal(plan, made).then((weights) => ({ site: left, weights }))],
    ),
  );
  const weights = await inbox.proposal(plan, proposal);
  const sums = await sumContributions(shape, await site.modelsOnSamples(), weights, without, samples);
  return {
    type: 'contribution-sums',
    ...sentIn(plan, 'score proposals'),
    site: name,
    proposal,
    ...sums,
  };
}
