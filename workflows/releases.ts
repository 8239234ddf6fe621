import { type WorkflowDefinitionOptions } from '@temporalio/common';
import { workflowInfo } from '@temporalio/workflow';

/**
 * Of workflows that outlive a release: under worker versioning their next workflow task goes to the version that is current by then, where every other run
 * stays with the version it began on. Moving a pinned run when it continues as new would be gentler, and does not hold: Temporal 1.29 keeps such a
 * run on its version whatever `initialVersioningBehavior` says, and never sets `targetWorkerDeploymentVersionChanged`. A history begun on one release
 * thus goes on with the code of the next, as it does without versioning; the replay tests hold that it fits. A worker without versioning must not say so:
 * the server refuses its answers, and the run stands.
 */
export function movesToCurrent(): WorkflowDefinitionOptions {
  const release = workflowInfo().currentDeploymentVersion;
  return release === undefined || release.deploymentName === '' ? {} : { versioningBehavior: 'AUTO_UPGRADE' };
}
