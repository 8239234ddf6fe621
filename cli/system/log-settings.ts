import { type DeploymentPlan } from '../../core/contracts/deployment-file';
import { type StreamSettings } from '../../core/contracts/settings';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { agreeOnSettings, type Agreement } from '../../workers/agree-on-settings';
import { measureTolerance, type MeasuringProgress } from '../../workers/measure-tolerance';

/** What a command wants its deployment to be. */
export interface WantedDeployment extends Pick<Agreement, 'onRunning' | 'takesLimits'> {
  readonly plan: DeploymentPlan;
  /** The plan is that of a deployment file. */
  readonly fromFile?: boolean;
}

/**
 * Create the deployment's topics and log the settings that all of its processes share, before the first of them starts; or find that it
 * has them already.
 * @returns the settings that hold.
 * @throws FedloopError as `agreeOnSettings`
 */
export async function agreeOnDeployment(
  workerEnv: NodeJS.ProcessEnv,
  wanted: WantedDeployment,
  onMeasuring: (progress: MeasuringProgress) => void = () => undefined,
): Promise<StreamSettings> {
  const env = readEnvironment(workerEnv);
  const log = silentLogger();
  const kafka = await connectKafka(env, 'fedloop-cli', log);
  try {
    return await agreeOnSettings({
      ...wanted,
      kafka,
      env,
      log,
      onNew: 'log',
      measure: (settings) => measureTolerance(kafka, settings, onMeasuring),
    });
  } finally {
    await kafka.disconnect();
  }
}

/** Log settings of a deployment that has no file. @throws FedloopError `InvalidConfig` when it runs with others. */
export async function logSettings(workerEnv: NodeJS.ProcessEnv, settings: StreamSettings): Promise<void> {
  const { FEDLOOP_FLEET: fleet } = readEnvironment(workerEnv);
  const plan = { fleet, settings, measuresTolerance: false };
  await agreeOnDeployment(workerEnv, { plan, onRunning: 'compare' });
}
