import { isAbsolute, join, relative, resolve } from 'node:path';
import { type Command } from 'commander';
import { FedloopError } from '../../core/contracts/errors';
import { ROUNDS_QUEUE } from '../../core/contracts/queues';
import { runBatch } from '../../core/warehouse/batch';
import { openWarehouse } from '../../core/warehouse/open';
import { batchResultSchema, describeBatch, type BatchFigures } from '../batch-result';
import { deploymentEnvironment } from '../deployment';
import { jsonOption } from '../options';
import { type Step } from '../progress';
import { findRunning, type RunningSystem } from '../running';
import { namesTemporal, withTemporal } from '../servers/temporal-client';
import { withSession, type Session } from '../session';
import { unlessAborted } from '../wait';
import { warehouseAtRest } from '../warehouse-at-rest';
import { workflowFailure } from '../workflow-failure';

const HELP = `
While a system runs, its analytics worker counts (workflow batchAnalytics), and DIR must lie in the processed/ folder of the
run. While none runs, the files are counted into the warehouse that \`fedloop sql\` asks. Broken rows are listed in the
table rejected_rows, with file and line.
`;

/** `fedloop batch [DIR]`: daily figures from processed files. */
export function registerBatch(program: Command): void {
  program
    .command('batch')
    .summary('count processed files into daily figures')
    .description(
      'AVG, MIN, MAX, STDDEV and COUNT per device, UTC day and sensor, into batch_analysis_results. Doing it again changes nothing.',
    )
    .argument('[dir]', 'folder of CSV or Parquet files (the run’s processed/)')
    .addOption(jsonOption())
    .addHelpText('after', HELP)
    .action((directory: string | undefined, options: { json?: boolean }) =>
      withSession(async (session) => {
        const batch = await count(session, directory);
        session.out(options.json === true ? `${JSON.stringify(batch)}\n` : `${describeBatch(batch)}\n`);
      }),
    );
}

async function count(session: Session, directory: string | undefined): Promise<BatchFigures> {
  const running = await findRunning(session.folder);
  const step = session.progress.step('Counting');
  try {
    const batch =
      running === undefined && !namesTemporal(session.env)
        ? await countHere(session, directory, step)
        : await countThere(session, running, directory);
    step.done();
    return batch;
  } catch (thrown) {
    step.fail();
    throw workflowFailure(thrown, 'the batch run');
  }
}

/** Nobody owns the warehouse: count in this process. */
async function countHere(session: Session, directory: string | undefined, step: Step): Promise<BatchFigures> {
  const place = await warehouseAtRest(session);
  const warehouse = await openWarehouse(place.warehouse);
  try {
    const folder = directory === undefined ? place.processed : resolve(session.folder, directory);
    return await runBatch(await warehouse.connect(), folder, {
      signal: session.signal,
      onProgress: ({ done, files }) => {
        step.update(`${done} of ${files} files`, done / files);
      },
    });
  } finally {
    await warehouse.close();
  }
}

async function countThere(
  session: Session,
  running: RunningSystem | undefined,
  directory: string | undefined,
): Promise<BatchFigures> {
  const inside = directory === undefined ? undefined : insideProcessed(session, running, directory);
  return withTemporal(await deploymentEnvironment(session), async (client) => {
    const result = client.workflow.execute('batchAnalytics', {
      taskQueue: ROUNDS_QUEUE,
      workflowId: `batch-by-hand-${new Date().toISOString().replace(/\D/g, '').slice(0, 17)}`,
      args: [inside === undefined ? {} : { directory: inside }],
    });
    return batchResultSchema.parse(await unlessAborted(result, session.signal));
  });
}

/**
 * A folder as the analytics worker wants it: relative to its processed files, which are all that it may read.
 * @throws FedloopError `InvalidInput` for a folder elsewhere.
 */
function insideProcessed(session: Session, running: RunningSystem | undefined, directory: string): string {
  if (running === undefined) return directory;
  const processed = join(running.runFolder, 'processed');
  const path = relative(processed, resolve(session.folder, directory));
  if (!path.startsWith('..') && !isAbsolute(path)) return path === '' ? '.' : path;
  throw new FedloopError(
    'InvalidInput',
    `${directory} does not lie in the processed files of the running system`,
    {
      hint: `Copy it into ${processed}, or stop the system and count it then.`,
    },
  );
}
