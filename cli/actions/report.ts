import { stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FedloopError } from '../../core/contracts/errors';
import { type Query } from '../../core/warehouse/database/query';
import { queryCutoff } from '../results/cutoff';
import { queryWorker } from '../query/query-worker';
import { withFile } from '../query/query-file';
import { endOf } from '../progress';
import { collectReport } from '../report/collect';
import { type ReportData } from '../report/data';
import { writeReport } from '../report/write';
import { analyticsOf, findRunning } from '../system/running';
import { latestRun, namedRun, runFolder, type RunFolder } from '../system/run-folder';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';

export interface ReportOptions {
  readonly out?: string;
  readonly rounds: number;
  readonly json?: boolean;
}

/** Query a run for its figures and draw its page. */
export async function report(
  session: Session,
  id: string | undefined,
  options: ReportOptions,
): Promise<void> {
  const run = await findRun(session, id);
  const step = session.progress.step(`Asking the tables of run ${run.folder.id}`);
  let data: ReportData;
  try {
    const work = run.querying(async (query) =>
      collectReport(query, run.folder, { rounds: options.rounds, cutoff: await queryCutoff(query) }),
    );
    data = await unlessAborted(work, session.signal);
    step.done();
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  }
  const path = resolve(session.folder, options.out ?? run.folder.report);
  if (options.json !== true || options.out !== undefined) {
    const drawing = session.progress.step('Drawing the report');
    await writeReport(data, path);
    drawing.done(pathToFileURL(path).href);
  }
  session.out(options.json === true ? asJson(data) : `${relative(session.folder, path)}\n`);
}

/** The figures behind the page as JSON; maps become objects. */
function asJson(data: ReportData): string {
  const truth =
    data.truth === null
      ? null
      : { devices: data.truth.devices, faults: Object.fromEntries(data.truth.faults) };
  return `${JSON.stringify({ ...data, truth, given: Object.fromEntries(data.given) }, null, 2)}\n`;
}

interface FoundRun {
  readonly folder: RunFolder;
  readonly querying: <Result>(work: (query: Query) => Promise<Result>) => Promise<Result>;
}

/** @throws FedloopError `NotFound` for a run that does not exist, `InvalidInput` for a name that no run can have. */
async function findRun(session: Session, id: string | undefined): Promise<FoundRun> {
  const running = await findRunning(session.folder);
  const analytics = await analyticsOf(running, session.env);
  if (running !== undefined && analytics !== undefined && (id === undefined || id === running.id)) {
    return {
      folder: runFolder(session.folder, running.id),
      querying: (work) => work(queryWorker(analytics)),
    };
  }
  const folder = id === undefined ? await latestRun(session.folder) : namedRun(session.folder, id);
  if (folder === undefined || (await stat(folder.warehouse).catch(() => undefined)) === undefined) {
    throw new FedloopError(
      'NotFound',
      id === undefined ? 'there is no run in this folder yet' : `there is no run ${id} in this folder`,
      {
        hint:
          id === undefined
            ? 'Start one with `fedloop demo`.'
            : `Runs lie in ${join(session.folder, 'runs')}.`,
      },
    );
  }
  return { folder, querying: (work) => withFile(folder.warehouse, work) };
}
