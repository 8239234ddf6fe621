import { FedloopError } from '../core/contracts/errors';
import { runAllRoles } from './all';
import { analyticsRole } from './analytics';
import { fleetRole } from './fleet';
import { describeFailure, runRole, type Role } from './role';
import { roundsRole } from './rounds';
import { siteRole } from './site';
import { streamRole } from './stream';

/** Roles by the name they are started with. */
const ROLES: Readonly<Record<string, Role>> = {
  rounds: roundsRole,
  site: siteRole,
  stream: streamRole,
  analytics: analyticsRole,
  fleet: fleetRole,
};

async function main(): Promise<number> {
  const name = process.argv[2] ?? '';
  if (name === 'all') return runAllRoles(__filename);
  const role = ROLES[name];
  if (role === undefined) {
    throw new FedloopError(
      'InvalidInput',
      `there is no worker role "${name}"; there are ${Object.keys(ROLES).join(', ')} and all`,
    );
  }
  return runRole(name, role);
}

main()
  .catch((thrown: unknown) => {
    process.stderr.write(`${describeFailure(thrown)}\n`);
    return thrown instanceof FedloopError ? thrown.exitCode : 1;
  })
  .then(
    // A worker that is done leaves nothing running; native threads must not keep the process.
    (code) => process.exit(code),
    () => process.exit(1),
  );
