import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { type SerialConnection } from './connection';

const identityRow = z.object({ id: z.string(), file: z.string().nullable() });

/**
 * The id of a warehouse's file, made with it, so that offsets of one file are never mistaken for those of another. A copy gets an id of its own when it is
 * first written: two warehouses in one consumer group would have half of the rows each.
 * @throws FedloopError `WarehouseFailed` when the file has lost it
 */
export async function identityOf(connection: SerialConnection, file: string): Promise<string> {
  const place = placeOf(file);
  if (place === undefined) throw new FedloopError('WarehouseFailed', `${file} is gone`);
  const [found] = await connection.rows(identityRow, 'SELECT id, file FROM warehouse_identity');
  if (found === undefined) throw new FedloopError('WarehouseFailed', `${file} has lost its identity`);
  if (found.file === place) return found.id;
  // A file of a release that kept no place stays who it is.
  const id = found.file === null ? found.id : randomUUID().replaceAll('-', '');
  await connection.run('UPDATE warehouse_identity SET id = $id, file = $place', { id, place });
  return id;
}

const logsRow = z.object({ logs: z.string().nullable() });

/**
 * A file is filled from the logs of one deployment: rows of two would stand side by side, and nothing tells them apart.
 * @param logs as `Kafka.identity` names them
 * @throws FedloopError `InvalidConfig` when the file was filled from others
 */
export async function keepLogs(connection: SerialConnection, file: string, logs: string): Promise<void> {
  const [found] = await connection.rows(logsRow, 'SELECT logs FROM warehouse_identity');
  const known = found?.logs ?? null;
  if (known === null) await connection.run('UPDATE warehouse_identity SET logs = $logs', { logs });
  else if (known !== logs)
    throw new FedloopError(
      'InvalidConfig',
      `the warehouse ${file} was filled from other Kafka brokers, or from another fleet’s topics`,
      {
        hint: 'Use another file (FEDLOOP_WAREHOUSE): a new one fills itself from the topics. Where these brokers took the place of those, run `fedloop warehouse adopt` first.',
      },
    );
}

/** Let the file be filled from the logs that a worker next has, whichever they are. */
export async function forgetLogs(connection: SerialConnection): Promise<void> {
  await connection.run('UPDATE warehouse_identity SET logs = NULL');
}

/** Where a file lies on its disk: a copy lies elsewhere, a file that was renamed does not. Undefined where there is none. */
export function placeOf(file: string): string | undefined {
  if (file === ':memory:') return file;
  const there = statSync(file, { throwIfNoEntry: false });
  return there && `${there.dev}:${there.ino}`;
}
