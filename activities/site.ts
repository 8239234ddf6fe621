import { type ContributionPlan } from '../core/contracts/contribution';
import { type SiteReadinessReport } from '../core/contracts/readiness';
import {
  type MessageRange,
  type SitePlan,
  type SiteReadinessInput,
  type SiteSize,
  type TrainResult,
} from '../core/contracts/steps';
import { describeSite, siteReadiness, type DescribeSiteInput } from './describe-site';
import { scoreProposals, sumPanels } from './panels';
import { scoreLocals } from './score-locals';
import { withFailureCodes } from './shared/failures';
import { longStep } from './shared/long-step';
import { Site, type SiteDependencies } from './shared/site';
import { trainLocals } from './train-locals';

/** The activities of a site's trainer: all steps of a round that need readings, which stay with it. */
export interface SiteActivities {
  describeSite(input: DescribeSiteInput): Promise<SiteSize>;
  siteReadiness(input: SiteReadinessInput): Promise<SiteReadinessReport>;
  trainLocals(plan: SitePlan): Promise<TrainResult>;
  /** `trainedTo`: offset in `model-updates` up to which all sites' updates stand. */
  scoreLocals(plan: SitePlan, trainedTo: number): Promise<MessageRange>;
  sumPanels(plan: SitePlan): Promise<readonly string[]>;
  /** @param contribution absent where none is measured, and from a workflow of an earlier release */
  scoreProposals(
    plan: SitePlan,
    names: readonly string[],
    contribution?: ContributionPlan,
  ): Promise<readonly string[]>;
}

export function createSiteActivities(dependencies: SiteDependencies): SiteActivities {
  const site = new Site(dependencies);
  const { brokers } = dependencies;
  return withFailureCodes<SiteActivities>({
    describeSite: (input) => longStep(brokers, () => describeSite(site, input)),
    siteReadiness: (input) => longStep(brokers, () => siteReadiness(site, input)),
    trainLocals: (plan) => trainLocals(site, plan),
    scoreLocals: (plan, trainedTo) => longStep(brokers, () => scoreLocals(site, plan, trainedTo)),
    sumPanels: (plan) => longStep(brokers, () => sumPanels(site, plan)),
    scoreProposals: (plan, names, contribution) =>
      longStep(brokers, () => scoreProposals(site, plan, names, contribution)),
  });
}
