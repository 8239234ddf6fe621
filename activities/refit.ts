import { FedloopError } from '../core/contracts/errors';
import { type PanelSums, type RoundPlan } from '../core/contracts/steps';
import { addRefitSums, refitOutputLayer, type RefitSums } from '../core/federation/refit';
import { type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { PROPOSALS, publishProposal } from './shared/proposals';
import { type UpdateInbox } from './shared/update-inbox';

/**
 * Between aggregation and deployment: refit the responsive proposal's output layer from all sites' sums.
 * @returns the refitted proposal's name, or nothing when the sums hold nothing to go by.
 */
export async function refit(
  {
    producer,
    deployments,
    inbox,
  }: { readonly producer: Producer; readonly deployments: Deployments; readonly inbox: UpdateInbox },
  plan: RoundPlan,
  sums: readonly PanelSums[],
): Promise<readonly string[]> {
  const base = deployments.find(plan.champion);
  if (base === undefined)
    throw new FedloopError('NotFound', `the champion ${plan.champion} is not in model-deployments`);
  const proposal = await inbox.proposal(plan, PROPOSALS.responsive);
  const refitted = refitOutputLayer(base.model.metadata.shape, proposal, addRefitSums(sums.map(toRefitSums)));
  if (refitted === null) return [];
  await publishProposal(producer, plan, PROPOSALS.refitted, refitted);
  return [PROPOSALS.refitted];
}

function toRefitSums({ rows, gram, moment }: PanelSums): RefitSums {
  return { rows, gram: Float64Array.from(gram), moment: Float64Array.from(moment) };
}
