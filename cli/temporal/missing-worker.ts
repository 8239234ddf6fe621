import { type Client, type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { type FleetNames } from '../../core/contracts/queues';

/** A worker that is there takes a task at once. */
const TAKEN_WITHIN_MS = 5_000;

type Queue = Awaited<ReturnType<Client['workflowService']['describeTaskQueue']>>;
type Pinned = { readonly build: string } | undefined;

/**
 * Why nobody takes the next workflow task of a run, and what to do about it, in one sentence; undefined while all is well. Without such a run it is about the
 * next one that starts.
 */
export async function missingWorker(
  client: Client,
  { fleet, roundsQueue }: FleetNames,
  workflowId: string,
): Promise<string | undefined> {
  const run = await runningOf(client, workflowId);
  const since = secondsOf(run?.raw.pendingWorkflowTask?.scheduledTime);
  if (since !== undefined && Date.now() - 1_000 * since < TAKEN_WITHIN_MS) return undefined;
  const queue = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: roundsQueue },
  });
  // Temporal lists a worker for minutes after its end. A task that is due goes to whoever has not polled since.
  const builds = queue.pollers
    .filter(({ lastAccessTime }) => since === undefined || (secondsOf(lastAccessTime) ?? 0) >= since)
    .map(({ deploymentOptions }) => versionedBuild(deploymentOptions));
  return describeMissing(fleet, roundsQueue, workflowId, {
    pinned: run === undefined ? undefined : pinnedOf(run),
    current: queue.versioningInfo?.currentDeploymentVersion?.buildId ?? null,
    builds,
  });
}

/** Where a run's next task goes, and who asks for tasks there. */
interface Polled {
  readonly pinned: Pinned;
  /** Null: workers without a build take what is not pinned. */
  readonly current: string | null;
  /** Null for a worker without a build. */
  readonly builds: readonly (string | null)[];
}

/** @param workflowId the run that waits */
export function describeMissing(
  fleet: string,
  queue: string,
  workflowId: string,
  { pinned, current, builds }: Polled,
): string | undefined {
  const wanted = pinned?.build ?? current;
  if (builds.includes(wanted)) return undefined;
  const start = startCommand(fleet, wanted);
  if (pinned !== undefined)
    return (
      `the run ${workflowId} is pinned to the build ${pinned.build}, and no worker of that build polls ${queue}: start one (${start}), ` +
      `or move the run to the current version (temporal workflow update-options --workflow-id ${workflowId} --versioning-override-behavior auto_upgrade)`
    );
  const others = [...new Set(builds.filter((build) => build !== null))].sort();
  const [other] = others;
  const makeCurrent = `temporal worker deployment set-current-version --deployment-name ${fleet} --build-id ${other ?? ''}`;
  if (current === null)
    return other === undefined
      ? `no worker polls ${queue}: start one (${start})`
      : `no version of ${fleet} is current, and the workers that poll ${queue} are of a build (${others.join(', ')}): make one current (${makeCurrent})`;
  const orElse = other === undefined ? '' : `, or make the build of those that do current (${makeCurrent})`;
  return `no worker of the current build ${current} of ${fleet} polls ${queue}: start one (${start})${orElse}`;
}

function startCommand(fleet: string, build: string | null): string {
  const settings = [
    ...(fleet === DEFAULT_FLEET ? [] : [`FEDLOOP_FLEET=${fleet} `]),
    ...(build === null ? [] : [`FEDLOOP_BUILD_ID=${build} `]),
  ];
  return `${settings.join('')}fedloop worker rounds`;
}

async function runningOf(
  client: Client,
  workflowId: string,
): Promise<WorkflowExecutionDescription | undefined> {
  try {
    const description = await client.workflow.getHandle(workflowId).describe();
    return description.status.name === 'RUNNING' ? description : undefined;
  } catch (thrown) {
    if (thrown instanceof WorkflowNotFoundError) return undefined;
    throw thrown;
  }
}

/** The build that a run is pinned to, by a person or by its workflow. */
function pinnedOf({ raw }: WorkflowExecutionDescription): Pinned {
  const info = raw.workflowExecutionInfo?.versioningInfo;
  const override = info?.versioningOverride;
  if (override?.autoUpgrade === true) return undefined;
  const isPinned = Number(info?.behavior) === PINNED;
  const build =
    override?.pinned?.version?.buildId ?? (isPinned ? info?.deploymentVersion?.buildId : undefined);
  return build == null ? undefined : { build };
}

/** As the server counts `VersioningBehavior`, and `WorkerVersioningMode`. */
const PINNED = 1;
const VERSIONED = 2;

type Poller = NonNullable<Queue['pollers']>[number];
function versionedBuild(options: Poller['deploymentOptions']): string | null {
  return Number(options?.workerVersioningMode) === VERSIONED ? (options?.buildId ?? null) : null;
}

/** Seconds since 1970, with their fraction. */
function secondsOf(
  time: { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined,
): number | undefined {
  return time?.seconds == null ? undefined : Number(time.seconds) + (time.nanos ?? 0) / 1e9;
}
