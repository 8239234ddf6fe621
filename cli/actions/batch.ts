import { isAbsolute, join, relative, resolve } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { runBatch } from '../../core/warehouse/batch/run-batch';
import { openWarehouse } from '../../core/warehouse/database/open';
import { batchResultSchema, type BatchResult } from '../../core/contracts/batch-result';
import { describeBatch } from '../temporal/batch-result';
import { deploymentEnvironment } from '../system/deployment';
import { endOf, type Step } from '../progress';
import { findRunning, type RunningSystem } from '../system/running';
import { namesTemporal, withTemporal } from '../servers/temporal-client';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';
import { warehouseAtRest } from '../query/warehouse-at-rest';
import { workflowFailure } from '../temporal/workflow-failure';
import { resultOf } from '../temporal/workflow-result';

/** `fedloop batch [DIR]`: daily figures from processed files. */
export async function batch(
  session: Session,
  directory: string | undefined,
  { json }: { readonly json?: boolean },
): Promise<void> {
  const figures = await count(session, directory);
  session.out(json === true ? `${JSON.stringify(figures)}\n` : `${describeBatch(figures)}\n`);
}

async function count(session: Session, directory: string | undefined): Promise<BatchResult> {
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
    step.fail(endOf(thrown));
    throw workflowFailure(thrown, 'the batch run');
  }
}

/** No process owns the warehouse: count in this one. */
async function countHere(session: Session, directory: string | undefined, step: Step): Promise<BatchResult> {
  const place = await warehouseAtRest(session);
  const warehouse = await openWarehouse(place.warehouse);
  try {
    const folder = directory === undefined ? place.processed : resolve(session.folder, directory);
    return await runBatch(await warehouse.connect(), folder, {
      signal: session.signal,
      mayBeMissing: directory === undefined,
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
): Promise<BatchResult> {
  const inside = directory === undefined ? undefined : insideProcessed(session, running, directory);
  return withTemporal(await deploymentEnvironment(session), async (client, names) => {
    const handle = await client.workflow.start('batchAnalytics', {
      taskQueue: names.roundsQueue,
      workflowId: names.byHandId('batch', new Date().toISOString().replace(/\D/g, '').slice(0, 17)),
      args: [inside === undefined ? {} : { directory: inside }],
    });
    const result = resultOf(handle, 'the batch run', session);
    return batchResultSchema.parse(await unlessAborted(result, session.signal));
  });
}

/**
 * A folder as the analytics worker expects it: relative to its processed files, the only ones that it reads.
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
