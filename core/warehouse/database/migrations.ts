import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { type SerialConnection } from './connection';
import { MIGRATIONS, type Migration } from './schema';

const versionRow = z.object({ version: z.int().nullable() });

/**
 * Bring a file up to the newest schema, one transaction a step; a file that is there already is left as it is.
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
    'CREATE TABLE IF NOT EXISTS warehouse_identity AS SELECT replace(uuid()::VARCHAR, $dash, $nothing) AS id',
    { dash: '-', nothing: '' },
  );
  const [latest] = await connection.rows(versionRow, 'SELECT max(version) AS version FROM schema_migrations');
  const current = latest?.version ?? 0;
  const newest = Math.max(0, ...migrations.map(({ version }) => version));
  if (current > newest) {
    throw new FedloopError(
      'WarehouseFailed',
      `the warehouse has schema ${current}; this Fedloop knows ${newest} at most`,
      {
        hint: 'Use the release that wrote the file, or another file.',
      },
    );
  }
  for (const migration of migrations) {
    if (migration.version <= current) continue;
    await connection.transaction(async (inside) => {
      await inside.run(migration.sql);
      await inside.run('INSERT INTO schema_migrations VALUES ($version, $name)', {
        version: migration.version,
        name: migration.name,
      });
    });
  }
}
