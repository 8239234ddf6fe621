import { cp, mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type RunFolder } from '../system/run-folder';

/** Link to the champion's folder. */
const LATEST = 'latest_model';

/**
 * Copy the run's champion to `<models>/latest_model/`, for programs that only need the current model. The folder is a link that is
 * swapped in one step. A run without a champion changes nothing.
 */
export async function publishChampion(run: RunFolder, models: string): Promise<void> {
  const source = join(run.models, 'global', LATEST);
  const version = await readlink(source).then(
    (target) => basename(target),
    () => undefined,
  );
  if (version === undefined) return;
  const name = `${run.id}-${version}`;
  await mkdir(join(models, 'versions'), { recursive: true });
  await cp(source, join(models, 'versions', name), { recursive: true, dereference: true });
  const next = join(models, `.${LATEST}-${process.pid}`);
  await rm(next, { force: true });
  await symlink(join('versions', name), next);
  await rename(next, join(models, LATEST));
}
