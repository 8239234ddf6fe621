import {
  deploymentKey,
  type DeploymentMessage,
  type ModelMessage,
  type StageMessage,
} from '../contracts/deployments';
import { FedloopError } from '../contracts/errors';
import { type VersionId } from '../contracts/ids';
import { MICROS_PER_MILLI, type Micros } from '../contracts/time';
import { microsOfText } from '../contracts/timestamps';

/**
 * A signature says who has written a message, but not that it is the latest: who can write to the topic, but not sign, could send an old one again.
 * @param known order of what was last taken in under the same key.
 * @throws FedloopError `InvalidModel` for a message that is older.
 */
export function assertNotOlder(message: DeploymentMessage, known: number | undefined): void {
  if (known === undefined || !(orderOf(message) < known)) return;
  throw new FedloopError(
    'InvalidModel',
    `the message ${deploymentKey(message)} of model-deployments was sent again after a newer one, and is refused`,
    { hint: 'Find out who can write to the topic.' },
  );
}

/**
 * A version that has a stage was or will be measured, so its weights are final: others under its name would earn figures that are not theirs.
 * @param known hash of the usable model that the version has; undefined before it has a stage.
 * @throws FedloopError `InvalidModel` for other weights.
 */
export function assertSameWeights({ version, sha256 }: ModelMessage, known: string | undefined): void {
  if (known === undefined || known === sha256) return;
  throw new FedloopError('InvalidModel', `another model was deployed as ${version} before, and stays`, {
    hint: 'Find out who else writes to the topic model-deployments, such as another fleet under the same name.',
  });
}

/**
 * Now, or just behind what is known: clocks of two machines may differ.
 * @param known what stands under the same key.
 * @returns ISO 8601
 */
export function timeBehind(known: readonly (DeploymentMessage | undefined)[], nowMillis: number): string {
  const times = known.flatMap((message) => (message === undefined ? [] : [timeOf(message) ?? -Infinity]));
  return new Date(
    Math.max(nowMillis, ...times.map((micros) => Math.floor(micros / MICROS_PER_MILLI) + 1)),
  ).toISOString();
}

/** Of two messages of one key, the later one has the greater number. */
export function orderOf(message: DeploymentMessage): number {
  return timeOf(message) ?? ('round' in message ? message.round : 0);
}

function timeOf(message: DeploymentMessage): Micros | undefined {
  if (message.type === 'stage') return microsOfText(message.at);
  return message.type === 'model' ? microsOfText(message.created_at) : undefined;
}

/**
 * Two that change the champion at the same moment each log one, and take the stage from the version that served before both. The one that was logged
 * last serves; the other one is beside it.
 */
export function withOneChampion(logged: StageMessage, serving: VersionId | undefined): StageMessage {
  return logged.stage === 'champion' && serving !== undefined && logged.version !== serving
    ? { ...logged, stage: 'shadow' }
    : logged;
}
