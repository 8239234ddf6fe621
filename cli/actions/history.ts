import { resolve } from 'node:path';
import Table from 'cli-table3';
import { FedloopError } from '../../core/contracts/errors';
import { type DeploymentPlan } from '../../core/contracts/deployment-file';
import { assertOwnSettings, type StreamSettings } from '../../core/contracts/settings';
import { followDeployments } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { ensureTopics } from '../../workers/topics';
import { importHistory, type ImportReport } from '../history/import';
import { historyFiles } from '../history/rows';
import { endOf } from '../progress';
import { counted, printable, whole } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
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
      importHistory({
        kafka,
        settings,
        source: plan?.settings.source ?? settings.source,
        wide: options.wide,
        paths,
        dryRun: options.dryRun === true,
        now: Date.now(),
        onRows: (rows) => {
          step.update(`${whole(rows)} rows`);
        },
      }),
      session.signal,
    );
    step.done(counted(report.rows, 'row'));
    const dryRun = options.dryRun === true;
    session.out(
      options.json === true ? `${JSON.stringify({ dryRun, ...report })}\n` : textOf(report, dryRun),
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

function textOf(report: ImportReport, isDryRun: boolean): string {
  const { windows, partitions, rejected } = report;
  const begun = partitions.filter((partition) => partition.begun).length;
  const lines = [
    `${counted(report.rows, 'row')} of ${counted(report.files, 'file')}: ${counted(report.readings, 'reading')}, ${whole(report.used)} used, ${whole(report.readings - report.used)} rejected; ${counted(report.devices, 'device')}.`,
    `${counted(windows.found, 'window')}: ${whole(windows.written)} ${isDryRun ? 'would be written' : 'written'}${windowsLeftOut(windows)}.`,
    ...(report.droppedValues === 0
      ? []
      : [`${counted(report.droppedValues, 'value')} of covariates were no readings, and were left out.`]),
    ...(windows.written > 0 ? [effectOf(begun, partitions.length)] : ['Nothing is new: nothing changes.']),
  ];
  const reasons = Object.entries(rejected).sort(([, a], [, b]) => b.count - a.count);
  if (reasons.length === 0) return `${lines.join('\n')}\n`;
  const table = new Table({ ...PLAIN_TABLE, head: ['rejected', 'count', 'the first'] });
  for (const [reason, { count, first }] of reasons) {
    const where = first === null ? '' : printable(`${first.file}, line ${first.line}: ${first.detail}`);
    table.push([reason, { content: whole(count), hAlign: 'right' }, where]);
  }
  return `${[...lines, '', linesOf(table)].join('\n')}\n`;
}

function windowsLeftOut({ live, known, open, old }: ImportReport['windows']): string {
  const parts = [
    [live, 'have a live row, which counts'],
    [known, 'were imported before'],
    [open, 'are not closed yet, and come live'],
    [old, 'are older than what is kept'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `, ${whole(count)} ${what}`)
    .join('');
}

function effectOf(begun: number, partitions: number): string {
  if (begun === 0) return 'Devices begin with this past: they are forecast from their first windows on.';
  const which = begun === partitions ? 'All partitions have' : `${begun} of ${partitions} partitions have`;
  return `${which} begun to read: there the history trains models, and forecasts go on with what devices have sent.`;
}
