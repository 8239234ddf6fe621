import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { type VersionId } from '../../core/contracts/ids';
import { type ModelFile } from './repository';

interface ExportedModel {
  readonly version: VersionId;
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Write a model to a file, atomically.
 * @throws FedloopError `InvalidInput` when the file exists and may not be replaced, or cannot be written.
 */
export async function exportModel(
  { model, bytes, sha256 }: ModelFile,
  target: string,
  { replace }: { readonly replace: boolean },
): Promise<ExportedModel> {
  const path = resolve(target);
  const draft = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, bytes);
    // A link fails if the file exists, without a race; a rename would replace it.
    if (replace) await rename(draft, path);
    else await link(draft, path);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')
      throw new FedloopError('InvalidInput', `${path} is there already`, {
        hint: 'Name another file with --out, or replace it with --force.',
        cause,
      });
    throw new FedloopError('InvalidInput', `the model cannot be written to ${path}: ${messageOf(cause)}`, {
      cause,
    });
  } finally {
    await rm(draft, { force: true });
  }
  return { version: model.metadata.version, path, bytes: bytes.byteLength, sha256 };
}
