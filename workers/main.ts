import { FedloopError, messageWithHint } from '../core/contracts/errors';
import { runAllRoles } from './all';
import { requireOpenFiles } from './open-files';
import { runRole, type Role } from './role';

/**
 * Roles by the name they are started with. Each is loaded alone: a stream worker, say, has no use for DuckDB, which costs
 * memory and time to start.
 */
const ROLES: Readonly<Record<string, () => Promise<Role>>> = {
  rounds: async () => (await import('./rounds.js')).roundsRole,
  site: async () => (await import('./site.js')).siteRole,
  stream: async () => (await import('./stream.js')).streamRole,
  analytics: async () => (await import('./analytics.js')).analyticsRole,
  ingest: async () => (await import('./ingest.js')).ingestRole,
  fleet: async () => (await import('./fleet.js')).fleetRole,
};

async function main(): Promise<number> {
  const name = process.argv[2] ?? '';
  await requireOpenFiles();
  if (name === 'all') return runAllRoles(__filename);
  const load = ROLES[name];
  if (load === undefined) {
    throw new FedloopError(
      'InvalidInput',
      `there is no worker role "${name}"; there are ${Object.keys(ROLES).join(', ')} and all`,
    );
  }
  return runRole(name, await load());
}

main()
  .catch((thrown: unknown) => {
    process.stderr.write(`${messageWithHint(thrown)}\n`);
    return thrown instanceof FedloopError ? thrown.exitCode : 1;
  })
  .then(
    // A worker that is done leaves nothing running; native threads must not keep the process.
    (code) => process.exit(code),
    () => process.exit(1),
  );
