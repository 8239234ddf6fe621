import { FedloopError } from '../core/contracts/errors';
import { type VersionId } from '../core/contracts/ids';
import {
  promoteInputSchema,
  rollbackInputSchema,
  type ChampionChange,
  type PromoteInput,
  type RollbackInput,
} from '../core/contracts/live-checks';
import { parseOrThrow } from '../core/contracts/validation';
import { decodeState, encodeState, withoutMomentum } from '../core/federation/strategies/server-state';
import { logDeployment, type DeployedVersion, type Deployments } from '../core/model/deployments';
import { type Producer } from '../core/platform/kafka';
import { type FeedbackLog } from './shared/feedback-log';
import { publishLatestModel } from './shared/latest-model';
import { deployedVersion, deployModels } from './shared/registry';
import { type StageChange } from '../core/model/deployment-messages';

export interface ChangeChampionDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly feedback: Pick<FeedbackLog, 'latest'>;
  readonly modelsFolder: string;
}

/**
 * Take the champion out of service: it is `rolled-back`, and its predecessor serves again. A second call, or one for a version that
 * no longer serves, changes nothing.
 * @throws FedloopError `NotFound` when there is no version to go back to, `InvalidInput` when that version was itself
 *   rolled back or rejected: only a person's `promote` brings such a version into service.
 */
export async function rollback(
  dependencies: ChangeChampionDependencies,
  input: RollbackInput,
): Promise<ChampionChange> {
  const { version, to, reason, by } = parseOrThrow(rollbackInputSchema, input, 'the rollback');
  const { deployments } = dependencies;
  await deployments.sync();
  const serving = championOf(deployments);
  if (version !== serving.version) {
    // A retry after a crash finds the rollback done; the files may be missing.
    await publish(dependencies, serving);
    return {
      champion: serving.version,
      previous: null,
      changed: false,
      reason: `${version} does not serve any more`,
    };
  }
  const next = targetOf(deployments, serving, to);
  await carryOut(dependencies, next, [
    change(next, 'champion', `${serving.version} was rolled back: ${reason}`, by),
    change(serving, 'rolled-back', reason, by),
  ]);
  return { champion: next.version, previous: serving.version, changed: true, reason };
}

/**
 * Make a version champion, whatever its past; the one that serves stays beside it in shadow. A second call changes nothing.
 * @throws FedloopError `NotFound` for a version that is not in the registry.
 */
export async function promote(
  dependencies: ChangeChampionDependencies,
  input: PromoteInput,
): Promise<ChampionChange> {
  const { version, reason, by } = parseOrThrow(promoteInputSchema, input, 'the promotion');
  const { deployments } = dependencies;
  await deployments.sync();
  const serving = deployments.champion();
  if (serving?.version === version) {
    await publish(dependencies, serving);
    return { champion: version, previous: null, changed: false, reason: `${version} serves already` };
  }
  const next = deployedVersion(deployments, version);
  const shadows = deployments
    .versions()
    .filter(({ stage, version: known }) => stage.stage === 'shadow' && known !== version);
  const predecessor =
    serving === undefined ? `${version} serves` : `${serving.version} is the predecessor now`;
  await carryOut(dependencies, next, [
    ...shadows.map((shadow) => change(shadow, 'retired', predecessor, by)),
    change(next, 'champion', reason, by),
    ...(serving === undefined ? [] : [change(serving, 'shadow', `${version} took its place`, by)]),
  ]);
  return { champion: version, previous: serving?.version ?? null, changed: true, reason };
}

/** The new champion comes first in the log, so that there always is one. */
async function carryOut(
  dependencies: ChangeChampionDependencies,
  next: DeployedVersion,
  changes: readonly StageChange[],
): Promise<void> {
  const { producer, deployments } = dependencies;
  await deployModels(producer, deployments, [], changes);
  // Momentum points away from the version that served: the strategy starts without, as after a rejection.
  const current = deployments.serverState('current');
  if (current !== undefined) {
    const state = encodeState(withoutMomentum(decodeState(current.state)));
    await logDeployment(producer, [{ ...current, state }]);
  }
  // Another worker may make another one champion meanwhile, and publish it before.
  let published: DeployedVersion;
  do {
    published = deployments.champion() ?? next;
    await publish(dependencies, published);
    await deployments.sync();
  } while ((deployments.champion() ?? next).version !== published.version);
}

async function publish(
  { feedback, modelsFolder }: ChangeChampionDependencies,
  { version, model, message }: DeployedVersion,
): Promise<void> {
  const accuracy = (await feedback.latest(version))?.accuracy ?? null;
  await publishLatestModel(modelsFolder, model, message.lineage, accuracy);
}

/** The version named, else the one in shadow, else the one that the champion was made from. */
function targetOf(
  deployments: Deployments,
  serving: DeployedVersion,
  asked: VersionId | undefined,
): DeployedVersion {
  const shadow = deployments.inForce().find(({ stage }) => stage.stage === 'shadow')?.version;
  const wanted = asked ?? shadow ?? serving.message.lineage.parents[0];
  if (wanted === undefined)
    throw new FedloopError(
      'NotFound',
      `no version served before ${serving.version}, so there is none to roll back to`,
    );
  if (wanted === serving.version)
    throw new FedloopError('InvalidInput', `${wanted} serves: it cannot take its own place`);
  const known = deployedVersion(deployments, wanted);
  const { stage } = known.stage;
  if (stage === 'rolled-back' || stage === 'rejected') {
    throw new FedloopError('InvalidInput', `${wanted} is ${stage} and does not come back by a rollback`, {
      hint: `Name another version, or promote it: fedloop models promote ${wanted} --reason "…".`,
    });
  }
  return known;
}

function championOf(deployments: Deployments): DeployedVersion {
  const champion = deployments.champion();
  if (champion !== undefined) return champion;
  throw new FedloopError('NotFound', 'there is no champion yet', { hint: 'Run a round first.' });
}

function change(
  { version, message }: DeployedVersion,
  stage: StageChange['stage'],
  reason: string,
  by: string,
): StageChange {
  return { version, stage, round: message.lineage.round, reason, by };
}
