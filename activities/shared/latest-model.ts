import { lstat, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lineage } from '../../core/contracts/deployments';
import { encodeModel, sha256Of } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';

/** Folder under the models folder that always has the champion. */
const LATEST = 'latest_model';

/**
 * Leave the champion in `<folder>/latest_model/` (`model.onnx`, `metadata.json`) for any program that just wants it. The
 * folder is a link that is swapped in one step, so a reader sees the old pair or the new one, never half of each.
 */
export async function publishLatestModel(
  folder: string,
  model: GlobalModel,
  lineage: Lineage,
  realAccuracy: number | null,
): Promise<void> {
  const { version } = model.metadata;
  const own = join(folder, 'versions', version);
  await mkdir(own, { recursive: true });
  const bytes = encodeModel(model);
  await replaceFile(join(own, 'model.onnx'), bytes);
  const metadata = {
    version,
    real_accuracy: realAccuracy,
    sha256: sha256Of(bytes),
    ...describe(model),
    lineage,
  };
  await replaceFile(join(own, 'metadata.json'), `${JSON.stringify(metadata, null, 2)}\n`);

  const next = join(folder, `.${LATEST}-${process.pid}`);
  await rm(next, { force: true });
  await symlink(join('versions', version), next);
  const latest = join(folder, LATEST);
  await moveFolderAside(latest);
  await rename(next, latest);
}

/** A restore may have made a folder of the link, which a link cannot replace. What it holds is not ours to delete. */
async function moveFolderAside(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there?.isDirectory() === true) await rename(path, `${path}.before-${Date.now()}`);
}

/** A version that serves again has its files there already, and a program may be reading them. */
async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, content);
  await rename(draft, path);
}

function describe(model: GlobalModel): Readonly<Record<string, unknown>> {
  const { shape, tolerance, residualStddev } = model.metadata;
  return { shape, tolerance, residual_stddev: residualStddev };
}
