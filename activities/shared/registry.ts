import { type DeploymentMessage, type Lineage } from '../../core/contracts/deployments';
import { FedloopError } from '../../core/contracts/errors';
import { type VersionId } from '../../core/contracts/ids';
import { modelMessage, stageMessage, type StageChange } from '../../core/model/deployment-messages';
import { timeBehind } from '../../core/model/deployment-order';
import { logDeployment, type DeployedVersion, type Deployments } from '../../core/model/deployments';
import { type GlobalModel } from '../../core/model/types';
import { type Producer } from '../../core/platform/kafka';

/** @throws FedloopError `NotFound` for a version that is not in `model-deployments`. */
export function deployedVersion(deployments: Pick<Deployments, 'find'>, version: VersionId): DeployedVersion {
  const known = deployments.find(version);
  if (known !== undefined) return known;
  throw new FedloopError('NotFound', `there is no version ${version}`, {
    hint: '`fedloop models list` names them.',
  });
}

/** The network that a round trains from: the champion, or what was elected beside one that is linear. @throws FedloopError `NotFound` */
export function trainedBase(
  deployments: Pick<Deployments, 'find' | 'versions'>,
  champion: VersionId,
): DeployedVersion {
  const serving = deployedVersion(deployments, champion);
  const { role, network, round, attempt, parents } = serving.message.lineage;
  if (role !== 'linear') return serving;
  const beside = deployments
    .versions()
    .findLast(
      ({ message: { lineage } }) =>
        lineage.role === network && lineage.round === round && lineage.attempt === attempt,
    );
  if (beside !== undefined) return beside;
  // One that was made anew between rounds has none: that of the version before it counts, which is of an earlier round.
  const before = network === null ? deployments.find(parents[0] ?? champion) : undefined;
  if (before !== undefined && before.message.lineage.round < round)
    return trainedBase(deployments, before.version);
  throw new FedloopError(
    'NotFound',
    `the network that was made beside ${champion} is not in model-deployments`,
    {
      hint: 'Promote a version that was trained: `fedloop models promote`.',
    },
  );
}

/** How long a process waits to read back what it has just written; the log is followed within tens of milliseconds. */
const READ_BACK_TIMEOUT_MS = 30_000;

/**
 * Write models and stages to `model-deployments`, and return once this process itself has read them back. Writing the same again
 * (a retry) changes nothing: the topic is compacted by version.
 * @param behind what goes with them in one write, behind them
 */
export async function deployModels(
  producer: Producer,
  deployments: Deployments,
  models: readonly { readonly model: GlobalModel; readonly lineage: Lineage }[],
  changes: readonly StageChange[],
  behind: readonly DeploymentMessage[] = [],
): Promise<void> {
  const known = deployments.versions().flatMap(({ message, stage }) => [message, stage]);
  const at = timeBehind(known, Date.now());
  const modelMessages = models.map(({ model, lineage }) => modelMessage(model, lineage, at));
  const stageMessages = changes.map((change) => stageMessage(change, at));
  await logDeployment(producer, [...modelMessages, ...stageMessages, ...behind]);
  await readBack(deployments, changes);
  await restoreChampion(producer, deployments, changes);
}

async function readBack(
  deployments: Deployments,
  changes: readonly Pick<StageChange, 'version' | 'stage'>[],
): Promise<void> {
  const signal = AbortSignal.timeout(READ_BACK_TIMEOUT_MS);
  await Promise.all(changes.map(({ version, stage }) => deployments.whenStaged(version, stage, signal)));
}

/**
 * A person may make a version champion at the moment when another rounds worker takes it out of its round. It serves all the same: the fleet never is without a
 * champion.
 */
async function restoreChampion(
  producer: Producer,
  deployments: Deployments,
  changes: readonly StageChange[],
): Promise<void> {
  const { latestPromotion: promotion } = deployments;
  if (promotion === undefined || deployments.champion() !== undefined) return;
  if (!changes.some(({ version }) => version === promotion.version)) return;
  const taken = deployments.find(promotion.version)?.stage;
  await logDeployment(producer, [{ ...promotion, at: timeBehind([taken, promotion], Date.now()) }]);
  await readBack(deployments, [promotion]);
}
