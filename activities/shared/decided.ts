import { type Decision } from '../../core/contracts/decisions';
import { FedloopError } from '../../core/contracts/errors';
import { type VersionId } from '../../core/contracts/ids';
import { FEDLOOP } from '../../core/contracts/live-checks';
import { type RoundRef, type DecideResult } from '../../core/contracts/steps';
import { type DeployedVersion, type Deployments } from '../../core/model/deployments';

type Log = Pick<Deployments, 'serverState' | 'sync' | 'versions'>;

/**
 * Before a step that comes before the decision, and changes anything: its round must be the newest, and open. One that was closed and is reset
 * must not change what has been decided since.
 * @throws FedloopError `RoundOvertaken`
 */
export async function requireUndecided(deployments: Log, { round, attempt }: RoundRef): Promise<void> {
  await requireNewest(deployments, round);
  const last = deployments.serverState('current');
  if (last?.round !== round) return;
  const { decided } = last;
  if (decided !== undefined && decided.attempt !== attempt) throw decidedByAnother(round, decided.decision);
  const how = decided === undefined ? '' : ` (${decided.decision})`;
  throw new FedloopError(
    'RoundOvertaken',
    `round ${round} was decided${how} before its run was reset, and that stands: nothing was changed`,
    { hint: 'Start a new round; or reset this one to its step decide, to complete its record.' },
  );
}

/** @returns what this try at the round has decided already: nothing is left to carry out; null where it has not. */
export async function earlierDecision(
  deployments: Log,
  { round, attempt }: RoundRef,
  verdict: DecideResult,
): Promise<DecideResult | null> {
  await requireNewest(deployments, round);
  const last = deployments.serverState('current');
  if (last?.round !== round) return null;
  const { decided } = last;
  // An earlier release did not write down how it decided.
  if (decided === undefined) return verdict;
  if (decided.attempt === attempt) {
    const { decision, finding, reason } = decided;
    return { decision, finding, reason };
  }
  throw decidedByAnother(round, decided.decision);
}

/** Why a candidate is not what its round deployed any more. */
export function takenOut({ version, stage }: DeployedVersion): string {
  const by = stage.by === FEDLOOP ? '' : ` by ${stage.by}`;
  return `${version} was taken out of service${by} while its round measured it (${stage.reason}), and only a person brings it back`;
}

/** Why a comparison with a round's champion is void: another version has taken its place meanwhile. */
export function championChanged(serving: DeployedVersion | undefined, champion: VersionId): string {
  const by = serving === undefined || serving.stage.by === FEDLOOP ? '' : `, by ${serving.stage.by},`;
  return `${serving?.version ?? 'no version'} became champion${by} while the round compared its candidate with ${champion}`;
}

export function decidedByAnother(round: number, decision: Decision): FedloopError {
  return new FedloopError(
    'RoundOvertaken',
    `another run has decided round ${round} (${decision}) since: nothing was changed`,
    { hint: 'Start a new round.' },
  );
}

/**
 * A round that has only begun does not count: it deploys under its own number, and anybody may write a pending state.
 * @throws FedloopError `RoundOvertaken` when a later round has got as far as a deployment or a decision
 */
export async function requireNewest(deployments: Log, round: number): Promise<void> {
  await deployments.sync();
  const later = latestRound(deployments);
  if (later <= round) return;
  throw new FedloopError(
    'RoundOvertaken',
    `round ${later} has come after round ${round}, whose run was reset: nothing was changed`,
    { hint: 'Start a new round.' },
  );
}

/** Rounds that a log may know of beyond its latest version. A number further ahead is forged, and must not stop every round before it. */
export const ROUNDS_AHEAD = 100;

/** The latest round that made a version or was decided. */
export function latestRound(deployments: Pick<Deployments, 'serverState' | 'versions'>): number {
  const deployed = Math.max(0, ...deployments.versions().map(({ message }) => message.lineage.round));
  const decided = deployments.serverState('current')?.round ?? 0;
  return decided <= deployed + ROUNDS_AHEAD ? Math.max(deployed, decided) : deployed;
}
