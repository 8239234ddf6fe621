import { type RoundPlan } from '../core/contracts/steps';
import { type LeftOutDevice } from '../core/federation/aggregation/update-checks';
import { networkOfLinear, nextLinear } from '../core/federation/panels/linear';
import { refitOutputLayer } from '../core/federation/panels/refit';
import { type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { publishLeftOut } from './shared/outcomes';
import { combinedSums } from './shared/possible-reports';
import { linearBefore } from './shared/linear';
import { PROPOSALS, publishProposal, REFITS } from './shared/proposals';
import { deployedVersion } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

/**
 * Between aggregation and deployment: refit the proposals' output layers, and fit the linear model, from the sums of all sites.
 * Sums that do not count are published with the reason.
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
  const leftOut: LeftOutDevice[] = [];
  for (const { of: name, into } of REFITS) {
    const { sums: own, refused } = combinedSums(sums, sites, name, shape);
    leftOut.push(...refused);
    if (own === null) continue;
    const proposal = await inbox.proposal(plan, name);
    const refitted = refitOutputLayer(shape, proposal, own);
    if (refitted === null) continue;
    await publishProposal(producer, plan, into, refitted.weights, refitted.share);
    made.push(into);
  }
  if (plan.parts.linear) {
    const { sums: own, refused } = combinedSums(sums, sites, PROPOSALS.linear, shape);
    leftOut.push(...refused);
    const next = own === null ? null : nextLinear(linearBefore(deployments, plan.round, shape), own);
    if (next !== null) {
      const weights = networkOfLinear(shape, next.model);
      await publishProposal(producer, plan, PROPOSALS.linear, weights, next.share);
      made.push(PROPOSALS.linear);
    }
  }
  await publishLeftOut(producer, plan, leftOut);
  return made;
}
