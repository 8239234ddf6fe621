import { dirname } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { FedloopError, messageOf } from '../../contracts/errors';
import { machineError } from '../../contracts/machine-trouble';
import { makeFolder } from '../../platform/make-folder';
import { CHECKPOINT_THRESHOLD, MEMORY_LIMIT } from '../limits';
import { type SerialConnection } from './connection';
import { refuseDamagedLog } from './damaged-log';
import { identityOf } from './identity';
import { migrate } from './migrations';
import { realFile } from './real-file';
import { ReopenedInstance } from './reopened-instance';
import { warehouseError } from './trouble';

/** One DuckDB file, owned by this process. Every concern has a connection of its own. */
export interface Warehouse {
  readonly path: string;
  /** As `identityOf` has it. */
  readonly id: string;
  connect(): Promise<SerialConnection>;
  /** Let other processes read the file from now on (`../sql/snapshot.ts`); none but this one can write it, as before. */
  admitReaders(): Promise<void>;
  /** Close every connection after its last statement, then the file. */
  close(): Promise<void>;
}

/**
 * Open the file, or make it, and bring its schema up to date. `:memory:` is a warehouse for tests.
 *
 * Nothing that goes through this instance can read or write any other file (`enable_external_access` is off, the
 * configuration locked): the batch path reads its files in an instance of its own.
 * @throws FedloopError `WarehouseBusy` when another process owns the file, `WarehouseFailed` when it cannot be opened, and what to do then.
 */
export async function openWarehouse(path: string): Promise<Warehouse> {
  const file = path === ':memory:' ? path : await realFile(path);
  if (file !== ':memory:') {
    await makeFolder(dirname(file)).catch((cause: unknown) => {
      throw machineError('WarehouseFailed', cause, dirname(file), `the folder of ${file} cannot be made`);
    });
    await refuseDamagedLog(file);
  }
  if (file !== ':memory:' && openFiles.has(file))
    throw new FedloopError('WarehouseBusy', `this process has the warehouse ${file} open already`);
  openFiles.add(file);
  let instance: ReopenedInstance | undefined;
  const close = async (): Promise<void> => {
    await instance?.close();
    openFiles.delete(file);
  };
  try {
    instance = await ReopenedInstance.open(
      () => openInstance(file),
      () => shareLock(file),
    );
    const opened = instance;
    const first = await opened.connect();
    await migrate(first);
    const id = await identityOf(first, file);
    await opened.disconnect(first);
    return {
      path: file,
      id,
      connect: () => opened.connect(),
      admitReaders: () => opened.share(),
      close,
    };
  } catch (cause) {
    await close();
    throw cause instanceof FedloopError ? cause : warehouseError(file, 'the warehouse cannot be used', cause);
  }
}

/** Files that this process has open: a second instance over one file would corrupt it, and DuckDB does not notice. */
const openFiles = new Set<string>();

/** @throws FedloopError as `openWarehouse` */
export async function openInstance(
  file: string,
  access: 'AUTOMATIC' | 'READ_ONLY' = 'AUTOMATIC',
): Promise<DuckDBInstance> {
  let instance: DuckDBInstance | undefined;
  try {
    instance = await DuckDBInstance.create(file, {
      access_mode: access,
      enable_external_access: 'false',
      memory_limit: MEMORY_LIMIT,
      checkpoint_threshold: CHECKPOINT_THRESHOLD,
    });
    const connection = await instance.connect();
    // Session defaults of every connection to come; the local zone of the machine must never show.
    await connection.run("SET GLOBAL TimeZone = 'UTC'");
    await connection.run('SET GLOBAL lock_configuration = true');
    connection.disconnectSync();
    return instance;
  } catch (cause) {
    instance?.closeSync();
    const message = messageOf(cause);
    const owner = /Conflicting lock is held in (.+?) \(PID (\d+)\)/.exec(message);
    if (owner === null && !message.includes('Could not set lock'))
      throw warehouseError(file, 'the warehouse cannot be opened', cause);
    const who = owner === null ? 'another process' : `process ${owner[2] ?? '?'} (${owner[1] ?? '?'})`;
    throw new FedloopError('WarehouseBusy', `the warehouse ${file} is in use by ${who}`, {
      hint: 'One process owns the file: query the running system (`fedloop sql` does), or stop it first.',
      cause,
    });
  }
}

/**
 * Turn this process's lock on the file into a shared one. DuckDB locks by `fcntl`, where a process has one lock a file, the latest: opening
 * the file once more, only to read, makes an exclusive lock a shared one. Nothing is ever read through this instance.
 */
async function shareLock(file: string): Promise<DuckDBInstance> {
  try {
    return await DuckDBInstance.create(file, {
      access_mode: 'READ_ONLY',
      enable_external_access: 'false',
      threads: '1',
    });
  } catch (cause) {
    throw warehouseError(file, 'the warehouse cannot be shared with its readers', cause);
  }
}
