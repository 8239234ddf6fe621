import { type DeploymentPlan } from '../core/contracts/deployment-file';
import { agreeOnSettings, type Agreement } from './agree-on-settings';
import { measureTolerance } from './measure-tolerance';
import { ensureTopics } from './topics';

/**
 * Make the topics, and hold the process's deployment file, where it has one, against what the deployment has logged.
 * @throws FedloopError as `agreeOnSettings`
 */
export async function joinDeployment(
  context: Pick<Agreement, 'kafka' | 'env' | 'log'>,
  plan: DeploymentPlan | undefined,
  onNew: Agreement['onNew'],
): Promise<void> {
  const { kafka, env, log } = context;
  if (plan === undefined) {
    await ensureTopics(kafka, env);
    return;
  }
  await agreeOnSettings({
    ...context,
    plan,
    onRunning: 'compare',
    onNew,
    measure: (settings) =>
      measureTolerance(kafka, settings, (progress) => {
        log.info({ ...progress }, 'measuring the tolerance');
      }),
  });
}
