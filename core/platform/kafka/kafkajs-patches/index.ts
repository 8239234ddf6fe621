import { type Logger } from '../../log';
import { connectionEndings } from './connection-endings';
import { deadConnections } from './dead-connections';
import { fastFetch } from './fast-fetch';
import { fastProduce } from './fast-produce';
import { freshConnections } from './fresh-connections';
import { keptPlaces } from './kept-places';
import { lostMembership } from './lost-membership';
import { missingTopics } from './missing-topics';
import { applyPatch, type LibraryPatch, type LoadModule } from './patch-module';
import { quietQueue } from './quiet-queue';
import { steadyHeartbeats, steadyMetadata } from './steady-clock';
import { toldRefusals } from './told-refusals';
import { topicIds } from './topic-ids';

/** Everything that is changed inside kafkajs; README.md has the reasons. */
export const PATCHES: readonly LibraryPatch[] = [
  fastFetch,
  fastProduce,
  quietQueue,
  freshConnections,
  connectionEndings,
  deadConnections,
  steadyHeartbeats,
  steadyMetadata,
  lostMembership,
  keptPlaces,
  toldRefusals,
  topicIds,
  missingTopics,
];

export { topicIdOf } from './topic-ids';
export { watchConnections, type ConnectionWatcher } from './connection-endings';

let isPatched = false;

/** Change kafkajs for the whole process, once. */
export function patchKafkajs(log: Logger): void {
  if (isPatched) return;
  isPatched = true;
  applyPatches(log);
}

/** Apply every patch, and log which took hold, which did not, and what that costs. */
export function applyPatches(log: Logger, load?: LoadModule): void {
  for (const patch of PATCHES) {
    const reason = applyPatch(patch, load);
    if (reason === undefined) log.debug({ patch: patch.name }, 'kafkajs is patched');
    else log.warn({ patch: patch.name, reason }, `kafkajs is not patched, so ${patch.otherwise}`);
  }
}
