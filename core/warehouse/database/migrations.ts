import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { type SerialConnection } from './connection';
import { insertRow } from './insert';
import { MIGRATIONS, type Migration } from './schema';

const versionRow = z.object({ version: z.int().nullable() });

/**
 * Whether a file has the newest schema.
 * @throws FedloopError `WarehouseFailed` for a file that a newer Fedloop has written.
 */
export async function isMigrated(
  connection: SerialConnection,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<boolean> {
  const [latest] = await connection.rows(versionRow, 'SELECT max(version) AS version FROM schema_migrations');
  return missingFrom(latest?.version ?? 0, migrations).length === 0;
}

/** Steps that a file of this version has not had. */
function missingFrom(current: number, migrations: readonly Migration[]): readonly Migration[] {
  const newest = Math.max(0, ...migrations.map(({ version }) => version));
  if (current > newest)
    throw new FedloopError(
      'WarehouseFailed',
      `the warehouse has schema ${current}; this Fedloop knows ${newest} at most`,
      { hint: 'Use the release that wrote the file, or another file.' },
    );
  return migrations.filter(({ version }) => version > current);
}

/**
 * Bring a file up to the newest schema, each step in one transaction. Steps that the file has had are passed over.
 * @throws FedloopError `WarehouseFailed` for a file that a newer Fedloop has written.
 */
export async function migrate(
  connection: SerialConnection,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await connection.run(
    'CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name VARCHAR NOT NULL)',
  );
  await connection.run(
    "CREATE TABLE IF NOT EXISTS warehouse_identity AS SELECT replace(uuid()::VARCHAR, '-', '') AS id",
  );
  const [latest] = await connection.rows(versionRow, 'SELECT max(version) AS version FROM schema_migrations');
  for (const { version, name, sql } of missingFrom(latest?.version ?? 0, migrations)) {
    await connection.transaction(async (inside) => {
      await inside.run(sql);
      await insertRow(inside, 'schema_migrations', { version, name }, 'fail');
    });
  }
}
