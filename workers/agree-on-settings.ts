import { type Environment } from '../core/contracts/config';
import { assertSameFleet, type DeploymentPlan } from '../core/contracts/deployment-file';
import { FedloopError } from '../core/contracts/errors';
import { ROW_LIMITS } from '../core/contracts/limits';
import { assertOwnSettings, type StreamSettings } from '../core/contracts/settings';
import { followDeployments, logDeployment, type Deployments } from '../core/model/deployments';
import { type Kafka } from '../core/platform/kafka';
import { type Logger } from '../core/platform/log';
import { ensureTopics } from './topics';

/** A worker waits so long for the process that logs the settings of a new fleet: as long as servers and workers take to start. */
const LOGGED_TIMEOUT_MS = 120_000;

export interface Agreement {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly log: Logger;
  readonly plan: DeploymentPlan;
  /** What becomes of a fleet that runs already: its settings must be those of the plan, or they hold as they are. */
  readonly onRunning: 'compare' | 'obey';
  /** Of a new fleet: log the plan's settings, or wait until another process has. */
  readonly onNew: 'log' | 'wait';
  /** A fleet whose processes all start anew may change to the limits of this release. */
  readonly takesLimits?: boolean;
  /** Finds the tolerance of a new fleet that leaves it to measurement. */
  readonly measure: (settings: StreamSettings) => Promise<number>;
}

/**
 * Make the topics of a deployment, and have its settings logged before its processes start: the first to start a fleet logs them, and
 * all others find them.
 * @returns the settings that hold.
 * @throws FedloopError `InvalidConfig` when the fleet runs with other settings, or nothing is logged in time; `InvalidData` when it has run, and what it logged is
 * gone.
 */
export async function agreeOnSettings(agreement: Agreement): Promise<StreamSettings> {
  const { kafka, env, log, plan, onNew } = agreement;
  await ensureTopics(kafka, env, plan.settings.source);
  const deployments = await followDeployments(kafka, log, {});
  try {
    const logged = deployments.loggedSettings();
    if (logged !== undefined) return await agreeWithRunning(agreement, logged);
    if (onNew === 'wait') {
      const found = await whenLogged(deployments, plan);
      assertSameFleet(plan, found);
      return found;
    }
    await logSettings(kafka, await settingsOfNewFleet(agreement));
    await deployments.sync();
    // Another process may have been quicker or slower by a moment: what the log ends with holds for all.
    const found = deployments.loggedSettings() ?? plan.settings;
    assertSameFleet(plan, found);
    return found;
  } finally {
    await deployments.close();
  }
}

async function agreeWithRunning(
  { kafka, plan, onRunning, takesLimits }: Agreement,
  logged: StreamSettings,
): Promise<StreamSettings> {
  const settings = takesLimits === true ? { ...logged, limits: ROW_LIMITS } : logged;
  assertOwnSettings(settings, { limits: ROW_LIMITS });
  if (onRunning === 'compare') assertSameFleet(plan, settings);
  if (takesLimits === true) await logSettings(kafka, settings);
  return settings;
}

async function settingsOfNewFleet({ plan, measure }: Agreement): Promise<StreamSettings> {
  const { settings, measuresTolerance } = plan;
  if (!measuresTolerance) return settings;
  const { task } = settings;
  const tolerance = await measure(settings);
  return { ...settings, task: { ...task, target: { ...task.target, tolerance } } };
}

async function logSettings(kafka: Kafka, settings: StreamSettings): Promise<void> {
  const producer = await kafka.producer();
  try {
    await logDeployment(producer, [{ type: 'settings', settings }]);
  } finally {
    await producer.disconnect();
  }
}

function whenLogged(deployments: Deployments, { fleet }: DeploymentPlan): Promise<StreamSettings> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      const message = `nobody has logged the settings of the fleet ${fleet}: start \`fedloop worker rounds\` with its deployment file first`;
      reject(new FedloopError('InvalidConfig', message));
    }, LOGGED_TIMEOUT_MS);
    const check = (): void => {
      const logged = deployments.loggedSettings();
      if (logged === undefined) return;
      clearTimeout(timer);
      stop();
      resolve(logged);
    };
    const stop = deployments.onChange(check);
    check();
  });
}
