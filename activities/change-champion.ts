import { FedloopError } from '../core/contracts/errors';
import { type Stage } from '../core/contracts/deployments';
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
import { type LatestModel } from './shared/latest-model';
import { deployedVersion, deployModels } from './shared/registry';
import { type StageChange } from '../core/model/deployment-messages';

export interface ChangeChampionDependencies {
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly latestModel: Pick<LatestModel, 'publish'>;
}

/**
 * Take the champion out of service: it is `rolled-back`, and its predecessor serves again. A second call, or one for a version that
 * no longer serves, changes nothing.
 * @param isRetry after a try that may have been carried out, and could not say so
 * @throws FedloopError `NotFound` when there is no version to go back to, `InvalidInput` when that version was itself
 *   rolled back or rejected: only a person's `promote` brings such a version into service.
 */
export async function rollback(
  dependencies: ChangeChampionDependencies,
  input: RollbackInput,
  isRetry = false,
): Promise<ChampionChange> {
  const asked = parseOrThrow(rollbackInputSchema, input, 'the rollback');
  const { to, reason, by } = asked;
  const { deployments } = dependencies;
  await deployments.sync();
  const serving = championOf(deployments);
  const previous = isRetry ? rolledBackBy(deployments, serving, asked) : undefined;
  if (previous !== undefined) {
    await settle(dependencies);
    return { champion: serving.version, previous, changed: true, reason };
  }
  const { version = serving.version } = asked;
  if (version !== serving.version) {
    return {
      champion: serving.version,
      previous: null,
      changed: false,
      reason: `${version} does not serve any more`,
    };
  }
  const next = targetOf(deployments, serving, to);
  await carryOut(dependencies, [
    change(next, 'champion', whyItServes(serving.version, reason), by),
    change(serving, 'rolled-back', reason, by),
  ]);
  return { champion: next.version, previous: serving.version, changed: true, reason };
}

/** The answer to a rollback that a reset of the evaluation repeats: the champion may have been changed since, by whoever knew more. */
export async function notRepeated({
  deployments,
}: Pick<ChangeChampionDependencies, 'deployments'>): Promise<ChampionChange> {
  await deployments.sync();
  const reason =
    'a rollback asked for before this workflow was reset is not carried out again; ask anew if it is still wanted';
  return { champion: championOf(deployments).version, previous: null, changed: false, reason };
}

/**
 * Make a version champion, whatever its past; the one that serves stays beside it in shadow. A second call changes nothing.
 * @param isRetry as for `rollback`
 * @throws FedloopError `NotFound` for a version that is not in the registry.
 */
export async function promote(
  dependencies: ChangeChampionDependencies,
  input: PromoteInput,
  isRetry = false,
): Promise<ChampionChange> {
  const { version, reason, by } = parseOrThrow(promoteInputSchema, input, 'the promotion');
  const { deployments } = dependencies;
  await deployments.sync();
  const serving = deployments.champion();
  if (serving?.version === version) {
    if (isRetry && isMadeBy(serving.stage, 'champion', { reason, by })) {
      await settle(dependencies);
      return { champion: version, previous: shadowOf(deployments) ?? null, changed: true, reason };
    }
    return { champion: version, previous: null, changed: false, reason: `${version} serves already` };
  }
  const next = deployedVersion(deployments, version);
  const shadows = deployments
    .versions()
    .filter(({ stage, version: known }) => stage.stage === 'shadow' && known !== version);
  const predecessor =
    serving === undefined ? `${version} serves` : `${serving.version} is the predecessor now`;
  await carryOut(dependencies, [
    ...shadows.map((shadow) => change(shadow, 'retired', predecessor, by)),
    change(next, 'champion', reason, by),
    ...(serving === undefined ? [] : [change(serving, 'shadow', `${version} took its place`, by)]),
  ]);
  return { champion: version, previous: serving?.version ?? null, changed: true, reason };
}

/** The new champion comes first in the log, so that there always is one. */
async function carryOut(
  dependencies: ChangeChampionDependencies,
  changes: readonly StageChange[],
): Promise<void> {
  await deployModels(dependencies.producer, dependencies.deployments, [], changes);
  await settle(dependencies);
}

/** What follows a change of champion; a second time it changes nothing. */
async function settle({ producer, deployments, latestModel }: ChangeChampionDependencies): Promise<void> {
  // Momentum points away from the version that served: the strategy starts without, as after a rejection.
  const current = deployments.serverState('current');
  if (current !== undefined) {
    const state = encodeState(withoutMomentum(decodeState(current.state)));
    await logDeployment(producer, [{ ...current, state }]);
  }
  await latestModel.publish();
}

/** The version that an earlier try of a rollback has taken out of service. */
function rolledBackBy(
  deployments: Deployments,
  serving: DeployedVersion,
  { version: named, reason, by }: RollbackInput,
): VersionId | undefined {
  const isMeant = (version: VersionId): boolean =>
    named === undefined ? serving.stage.reason === whyItServes(version, reason) : version === named;
  return deployments
    .versions()
    .find(({ version, stage }) => isMeant(version) && isMadeBy(stage, 'rolled-back', { reason, by }))
    ?.version;
}

function whyItServes(rolledBack: VersionId, reason: string): string {
  return `${rolledBack} was rolled back: ${reason}`;
}

/** Whether a stage is what such a change leaves behind. */
function isMadeBy(
  found: DeployedVersion['stage'] | undefined,
  stage: Stage,
  { reason, by }: Pick<RollbackInput, 'reason' | 'by'>,
): boolean {
  return found?.stage === stage && found.reason === reason && found.by === by;
}

/** The version in shadow: a promotion leaves there the one that served before, and retires every other. */
function shadowOf(deployments: Deployments): VersionId | undefined {
  return deployments.inForce().find(({ stage }) => stage.stage === 'shadow')?.version;
}

/** The version named, else the one in shadow, else the one that the champion was made from. */
function targetOf(
  deployments: Deployments,
  serving: DeployedVersion,
  asked: VersionId | undefined,
): DeployedVersion {
  const wanted = asked ?? shadowOf(deployments) ?? serving.message.lineage.parents[0];
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
