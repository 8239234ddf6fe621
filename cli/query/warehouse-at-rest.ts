import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { readEnvironment } from '../../core/platform/config';
import { latestRun, type RunFolder } from '../system/run-folder';
import { type Session } from '../system/session';

/** A warehouse that no running system of this folder owns, and the processed files that belong to it. */
interface WarehouseAtRest {
  readonly warehouse: string;
  readonly processed: string;
}

/**
 * The warehouse to query and count into while no system runs here: FEDLOOP_WAREHOUSE where it is set, else the latest run's, else
 * the default path of a deployment in this folder.
 */
export async function warehouseAtRest(session: Session): Promise<WarehouseAtRest> {
  // Nothing else of the environment matters to a file, such as credentials of brokers.
  const { FEDLOOP_WAREHOUSE, FEDLOOP_PROCESSED } = session.env;
  const env = readEnvironment({ FEDLOOP_WAREHOUSE, FEDLOOP_PROCESSED });
  const own = {
    warehouse: resolve(session.folder, env.FEDLOOP_WAREHOUSE),
    processed: resolve(session.folder, env.FEDLOOP_PROCESSED),
  };
  if ((session.env['FEDLOOP_WAREHOUSE'] ?? '') !== '') return own;
  const run: RunFolder | undefined = await latestRun(session.folder);
  return run === undefined ? own : { warehouse: run.warehouse, processed: run.processed };
}

/**
 * As `warehouseAtRest`, for commands that only read.
 * @throws FedloopError `NotFound` if the warehouse does not exist yet.
 */
export async function existingWarehouse(session: Session): Promise<string> {
  const { warehouse } = await warehouseAtRest(session);
  if ((await stat(warehouse).catch(() => undefined))?.isFile() === true) return warehouse;
  throw new FedloopError('NotFound', 'there is no run in this folder yet', {
    hint: 'Start one with `fedloop demo`.',
  });
}
