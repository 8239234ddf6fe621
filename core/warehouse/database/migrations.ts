import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { type SerialConnection } from './connection';
import { insertRow } from './insert';
import { MIGRATIONS, type Migration } from './schema';

const versionRow = z.object({ version: z.int().nullable() });

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
  const current = latest?.version ?? 0;
  const newest = Math.max(0, ...migrations.map(({ version }) => version));
  if (current > newest) {
    throw new FedloopError(
      'WarehouseFailed',
      `the warehouse has schema ${current}; this Fedloop knows ${newest} at most`,
      { hint: 'Use the release that wrote the file, or another file.' },
    );
  }
  for (const { version, name, sql } of migrations) {
    if (version <= current) continue;
    await connection.transaction(async (inside) => {
      await inside.run(sql);
      await insertRow(inside, 'schema_migrations', { version, name }, 'fail');
    });
  }
}
