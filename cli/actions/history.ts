import { resolve } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { type DeploymentPlan } from '../../core/contracts/deployment-file';
import { assertOwnSettings, type StreamSettings } from '../../core/contracts/settings';
import { followDeployments } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { ensureTopics } from '../../workers/topics';
import { importHistory } from '../history/import';
import { importText } from '../history/text';
import { historyFiles } from '../history/rows';
import { endOf } from '../progress';
import { counted, whole } from '../shared/format';
import { unlessAborted } from '../shared/wait';
import { dataPlaneEnvironment } from '../system/deployment';
import { deployedIn } from '../system/deployment-file';
import { type Session } from '../system/session';

export interface HistoryImportOptions {
  readonly wide?: string;
  readonly dryRun?: true;
  readonly json?: true;
}

/**
 * `fedloop history import`: the past of a fleet from files.
 * @throws FedloopError `InvalidData` for files that hold no reading; `InvalidConfig` for a deployment file of another task.
 */
export async function importFrom(
  session: Session,
  path: string,
  options: HistoryImportOptions,
): Promise<void> {
  const paths = await historyFiles(resolve(session.folder, path));
  const { plan } = await deployedIn(session);
  const env = readEnvironment(await dataPlaneEnvironment(session));
  const kafka = await connectKafka(env, 'fedloop-history', silentLogger());
  const step = session.progress.step(`Reading ${path}`);
  try {
    // A fleet may get its past before its first worker has made the topics.
    await ensureTopics(kafka, env, plan?.settings.source);
    const settings = await settingsOf(kafka, plan);
    const report = await unlessAborted(
      importHistory(
        {
          kafka,
          settings,
          dryRun: options.dryRun === true,
          now: Date.now(),
          onRows: (rows) => {
            step.update(`${whole(rows)} rows`);
          },
        },
        { source: plan?.settings.source ?? settings.source, wide: options.wide, paths },
      ),
      session.signal,
    );
    step.done(counted(report.rows, 'row'));
    const dryRun = options.dryRun === true;
    session.out(
      options.json === true ? `${JSON.stringify({ dryRun, ...report })}\n` : importText(report, dryRun),
    );
    if (report.used === 0) throw new FedloopError('InvalidData', `${path} holds no reading that can be used`);
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  } finally {
    await kafka.disconnect();
  }
}

/** The deployment's, which a file must not contradict; the file's own while the deployment has logged none. */
async function settingsOf(kafka: Kafka, plan: DeploymentPlan | undefined): Promise<StreamSettings> {
  const deployments = await followDeployments(kafka, silentLogger());
  try {
    const logged = deployments.settings();
    if (plan === undefined) return logged;
    if (deployments.loggedSettings() === undefined) return plan.settings;
    const { task } = plan.settings;
    // A tolerance that is still to be measured is none to compare.
    const tolerance = plan.measuresTolerance ? logged.task.target.tolerance : task.target.tolerance;
    assertOwnSettings(logged, { task: { ...task, target: { ...task.target, tolerance } } });
    return logged;
  } finally {
    await deployments.close();
  }
}
