import { type LinearModel, linearOfNetwork, noLinearModel } from '../../core/federation/panels/linear';
import { type Deployments } from '../../core/model/deployments';
import { type NetworkShape } from '../../core/model/types';

/** The fleet's linear model as the newest round before this one left it; the same for all workers, as that round is decided. */
export function linearBefore(
  deployments: Pick<Deployments, 'versions'>,
  before: number,
  shape: NetworkShape,
): LinearModel {
  const known = deployments
    .versions()
    .filter(({ message: { lineage } }) => lineage.role === 'linear' && lineage.round < before);
  const newest = Math.max(...known.map(({ message }) => message.lineage.round));
  const last = known.findLast(({ message }) => message.lineage.round === newest);
  return last === undefined ? noLinearModel(shape) : linearOfNetwork(shape, last.model.weights);
}
