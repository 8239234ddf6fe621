import { type RoundPlan } from '../../core/contracts/steps';
import { checkUpdates, type CheckedUpdates } from '../../core/federation/aggregation/update-checks';
import { type DeployedVersion } from '../../core/model/deployments';
import { parameterCount } from '../../core/model/types';
import { type UpdateInbox } from './update-inbox';

/** Updates of a round that count, in the order of the log, and those that do not. @param last offset up to which they stand */
export async function checkedUpdates(
  inbox: Pick<UpdateInbox, 'updates' | 'selected'>,
  plan: RoundPlan,
  last: number,
  base: DeployedVersion,
): Promise<CheckedUpdates> {
  const chunks = await inbox.updates(plan, last);
  const selected = inbox.selected(plan);
  return checkUpdates(chunks, {
    round: plan.round,
    attempt: plan.attempt,
    take: plan.takes?.train,
    baseVersion: base.version,
    parameters: parameterCount(base.model.metadata.shape),
    windows: plan.training.windows,
    isSelected: (site, deviceId) => selected.get(site)?.has(deviceId) ?? false,
  });
}
