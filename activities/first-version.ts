import { untrainedLineage } from '../core/contracts/deployments';
import { FedloopError } from '../core/contracts/errors';
import { FIRST_VERSION, type VersionId } from '../core/contracts/ids';
import { type RoundRef } from '../core/contracts/steps';
import { typicalSums } from '../core/federation/training/feature-sums';
import { type StageChange } from '../core/model/deployment-messages';
import { type Deployments } from '../core/model/deployments';
import { scalingOf } from '../core/model/features';
import { initialWeights } from '../core/model/network';
import { networkShape } from '../core/model/types';
import { type Producer } from '../core/platform/kafka';
import { requireUndecided } from './shared/decided';
import { publishLeftOut } from './shared/outcomes';
import { possibleFeatureSums } from './shared/possible-reports';
import { deployModels } from './shared/registry';
import { type UpdateInbox } from './shared/update-inbox';

/**
 * Before the first round: v0, the untrained network with weights from the seed and the feature scaling that the sites'
 * sums give. It is the first round's champion, which the first trained version must beat.
 * @returns the version that serves: v0, unless another one serves already
 */
export async function deployFirstVersion(
  {
    producer,
    deployments,
    inbox,
  }: { readonly producer: Producer; readonly deployments: Deployments; readonly inbox: UpdateInbox },
  input: RoundRef & { readonly seed: number },
): Promise<VersionId> {
  const { seed } = input;
  await requireUndecided(deployments, input);
  // A round that is reset finds it, or what has taken its place since: the untrained network takes nobody's.
  const serving = deployments.champion();
  if (serving !== undefined) return serving.version;
  const change: StageChange = {
    version: FIRST_VERSION,
    stage: 'champion',
    round: 0,
    reason: 'the untrained network, the first round’s champion',
  };
  // Another model under a name that was measured would be refused everywhere.
  if (deployments.find(FIRST_VERSION) !== undefined) {
    await deployModels(producer, deployments, [], [change]);
    return FIRST_VERSION;
  }
  const descriptions = await inbox.descriptions(input);
  const { task } = deployments.settings();
  const { possible: sums, refused } = possibleFeatureSums(descriptions, task);
  await publishLeftOut(producer, input, refused);
  if (sums.length === 0) {
    const why = refused.map(({ site, reason }) => `${site}: ${reason}`).join(', ') || 'none came';
    throw new FedloopError('Internal', `no site's feature sums for the first version can count (${why})`);
  }
  const shape = networkShape(task);
  const scaling = scalingOf(task, typicalSums(task, sums));
  const model = {
    metadata: {
      version: FIRST_VERSION,
      shape,
      scaling,
      tolerance: task.target.tolerance,
      residualStddev: null,
    },
    weights: initialWeights(shape, seed),
  };
  const lineage = untrainedLineage(seed);
  await deployModels(producer, deployments, [{ model, lineage }], [change]);
  return FIRST_VERSION;
}
