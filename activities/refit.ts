import { type RoundPlan } from '../core/contracts/steps';
import { refitOutputLayer } from '../core/federation/panels/refit';
import { type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { combinedSums } from './shared/possible-reports';
import { publishProposal, REFITS } from './shared/proposals';
import { deployedVersion } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

/**
 * Between aggregation and deployment: refit the proposals' output layers from the sums of all sites.
 * @returns the names of the refits that were made; sums that contain nothing that repeats make none.
 */
export async function refit(
  {
    producer,
    deployments,
    inbox,
  }: { readonly producer: Producer; readonly deployments: Deployments; readonly inbox: UpdateInbox },
  plan: RoundPlan,
): Promise<readonly string[]> {
  const { shape } = deployedVersion(deployments, plan.champion).model.metadata;
  const sums = await inbox.refitSums(plan);
  const sites = await inbox.descriptions(plan);
  const made: string[] = [];
  for (const { of: name, into } of REFITS) {
    const { sums: own } = combinedSums(sums, sites, name);
    if (own === null) continue;
    const proposal = await inbox.proposal(plan, name);
    const refitted = refitOutputLayer(shape, proposal, own);
    if (refitted === null) continue;
    await publishProposal(producer, plan, into, refitted.weights, refitted.share);
    made.push(into);
  }
  return made;
}
