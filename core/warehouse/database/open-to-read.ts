import { stat } from 'node:fs/promises';
import { FedloopError, messageOf } from '../../contracts/errors';
import { SerialConnection } from './connection';
import { refuseDamagedLog } from './damaged-log';
import { isMigrated } from './migrations';
import { openInstance, openWarehouse } from './open';
import { realFile } from './real-file';
import { warehouseError } from './trouble';

/** A warehouse that no system has open, for one who only reads. */
export interface WarehouseAtRest {
  readonly path: string;
  connect(): Promise<SerialConnection>;
  close(): Promise<void>;
}

/**
 * Open a file to read it: several may at once, and nothing has to be writable. A file of an earlier release, or one whose writer was killed
 * in the middle of a checkpoint, is brought up to date first, which writes it.
 * @throws FedloopError as `openWarehouse`
 */
export async function openToRead(path: string): Promise<WarehouseAtRest> {
  const file = await realFile(path);
  await refuseDamagedLog(file);
  const opened = (await isMidCheckpoint(file)) ? undefined : await openAsItIs(file);
  if (opened !== undefined) return opened;
  const warehouse = await openWarehouse(file).catch((cause: unknown) => {
    throw cause instanceof FedloopError && cause.code === 'WarehouseBusy'
      ? cause
      : new FedloopError(
          'WarehouseFailed',
          `the warehouse ${file} has to be brought up to date before it can be read, and that is not possible here: ${messageOf(cause)}`,
          { hint: 'Read a copy of it in a folder that may be written.', cause },
        );
  });
  await warehouse.close();
  const updated = await openAsItIs(file);
  if (updated === undefined) throw new FedloopError('Internal', `${file} was not brought up to date`);
  return updated;
}

/** @returns undefined for a file with an earlier schema. */
async function openAsItIs(file: string): Promise<WarehouseAtRest | undefined> {
  const instance = await openInstance(file, 'READ_ONLY');
  const connections: SerialConnection[] = [];
  const connect = async (): Promise<SerialConnection> => {
    const connection = new SerialConnection(await instance.connect());
    connections.push(connection);
    return connection;
  };
  const close = async (): Promise<void> => {
    for (const connection of connections) await connection.close();
    instance.closeSync();
  };
  try {
    if (await isMigrated(await connect())) return { path: file, connect, close };
    await close();
    return undefined;
  } catch (cause) {
    await close();
    throw warehouseError(file, 'the warehouse cannot be read', cause);
  }
}

async function isMidCheckpoint(file: string): Promise<boolean> {
  return stat(`${file}.wal.checkpoint`).then(
    () => true,
    () => false,
  );
}
