import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { deployedBy, type Deployed } from '../../core/platform/deployment-file';
import { type Session } from './session';

/** The deployment file of a folder, where no other is named. */
export const DEPLOYMENT_FILE = 'fedloop.yaml';

/** Path of the file that `--config` or `FEDLOOP_CONFIG` names, else of the folder's own, where it has one. */
export function deploymentFileOf({ env, folder }: Pick<Session, 'env' | 'folder'>): string | undefined {
  const named = env['FEDLOOP_CONFIG'] ?? '';
  if (named !== '') return resolve(folder, named);
  const own = join(folder, DEPLOYMENT_FILE);
  return existsSync(own) ? own : undefined;
}

/** Variables and plan of a command, with what its deployment file says. @throws FedloopError as `deployedBy` */
export function deployedIn(session: Pick<Session, 'env' | 'folder'>): Promise<Deployed> {
  return deployedBy({ ...session.env, FEDLOOP_CONFIG: deploymentFileOf(session) });
}
