import { mkdir } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { SerialConnection } from './connection';
import { MEMORY_LIMIT } from '../limits';
import { migrate } from './migrations';

/** One DuckDB file, owned by this process. Every concern has a connection of its own. */
export interface Warehouse {
  readonly path: string;
  /** Made once with the file, so that offsets of one file are never mistaken for those of another. */
  readonly id: string;
  connect(): Promise<SerialConnection>;
  /** Let other processes read the file from now on (`../sql/snapshot.ts`); none but this one can write it, as before. */
  admitReaders(): Promise<void>;
  /** Close every connection after its last statement, then the file. */
  close(): Promise<void>;
}

const identityRow = z.object({ id: z.string() });

/**
 * Open the file, or make it, and bring its schema up to date. `:memory:` is a warehouse for tests.
 *
 * Nothing that goes through this instance can read or write any other file (`enable_external_access` is off, the
 * configuration locked): the batch path reads its files in an instance of its own.
 * @throws FedloopError `WarehouseBusy` when another process owns the file, `WarehouseFailed` when it cannot be opened.
 */
export async function openWarehouse(path: string): Promise<Warehouse> {
  const file = path === ':memory:' ? path : resolve(path);
  if (file !== ':memory:') {
    await mkdir(dirname(file), { recursive: true }).catch((cause: unknown) => {
      throw failed(`the folder of ${file} cannot be made`, cause);
    });
  }
  const instance = await openInstance(file);
  const open = new Set<SerialConnection>();
  const connect = async (): Promise<SerialConnection> => {
    const connection = new SerialConnection(await instance.connect());
    open.add(connection);
    return connection;
  };
  let shared: DuckDBInstance | undefined;
  const admitReaders = async (): Promise<void> => {
    shared ??= await shareLock(file);
  };
  const close = async (): Promise<void> => {
    await Promise.all([...open].map((connection) => connection.close()));
    open.clear();
    instance.closeSync();
    shared?.closeSync();
    openFiles.delete(file);
  };
  try {
    const first = await connect();
    // Session defaults of every connection to come; the local zone of the machine must never show.
    await first.run("SET GLOBAL TimeZone = 'UTC'");
    await first.run('SET GLOBAL lock_configuration = true');
    await migrate(first);
    const [identity] = await first.rows(identityRow, 'SELECT id FROM warehouse_identity');
    if (identity === undefined) throw new FedloopError('WarehouseFailed', `${file} has lost its identity`);
    open.delete(first);
    await first.close();
    return { path: file, id: identity.id, connect, admitReaders, close };
  } catch (cause) {
    await close();
    throw cause instanceof FedloopError ? cause : failed(`the warehouse ${file} cannot be used`, cause);
  }
}

/** Files that this process has open: a second instance over one file would corrupt it, and DuckDB does not notice. */
const openFiles = new Set<string>();

async function openInstance(file: string): Promise<DuckDBInstance> {
  if (file !== ':memory:' && openFiles.has(file)) {
    throw new FedloopError('WarehouseBusy', `this process has the warehouse ${file} open already`);
  }
  openFiles.add(file);
  try {
    return await DuckDBInstance.create(file, { enable_external_access: 'false', memory_limit: MEMORY_LIMIT });
  } catch (cause) {
    openFiles.delete(file);
    const message = messageOf(cause);
    const owner = /Conflicting lock is held in (.+?) \(PID (\d+)\)/.exec(message);
    if (owner === null && !message.includes('Could not set lock'))
      throw failed(`the warehouse ${file} cannot be opened`, cause);
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
    throw failed(`the warehouse ${file} cannot be shared with its readers`, cause);
  }
}

function failed(what: string, cause: unknown): FedloopError {
  return new FedloopError('WarehouseFailed', `${what}: ${messageOf(cause)}`, { cause });
}
