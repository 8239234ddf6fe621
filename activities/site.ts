import {
  type MessageRange,
  type PanelScore,
  type PanelSums,
  type RoundPlan,
  type SiteDescription,
  type TrainResult,
} from '../core/contracts/steps';
import { describeSite } from './describe-site';
import { scoreProposals, sumPanels } from './panels';
import { scoreLocals } from './score-locals';
import { withFailureCodes } from './shared/failures';
import { Site, type SiteDependencies } from './shared/site';
import { trainLocals } from './train-locals';

/** What a site's trainer does in a round: everything that needs readings, which stay with it. */
export interface SiteActivities {
  describeSite(input: { readonly withFeatureSums: boolean }): Promise<SiteDescription>;
  trainLocals(plan: RoundPlan): Promise<TrainResult>;
  scoreLocals(plan: RoundPlan, trained: readonly TrainResult[]): Promise<MessageRange>;
  sumPanels(plan: RoundPlan): Promise<readonly PanelSums[]>;
  scoreProposals(plan: RoundPlan, names: readonly string[]): Promise<readonly PanelScore[]>;
}

export function createSiteActivities(dependencies: SiteDependencies): SiteActivities {
  const site = new Site(dependencies);
  return withFailureCodes<SiteActivities>({
    describeSite: (input) => describeSite(site, input),
    trainLocals: (plan) => trainLocals(site, plan),
    scoreLocals: (plan, trained) => scoreLocals(site, plan, trained),
    sumPanels: (plan) => sumPanels(site, plan),
    scoreProposals: (plan, names) => scoreProposals(site, plan, names),
  });
}
