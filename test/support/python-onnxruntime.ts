import { execFile } from 'node:child_process';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../cli/servers/cache';

const run = promisify(execFile);

/** What any user of the model files would install; another library than the one that wrote them. */
const PACKAGES = ['onnxruntime==1.23.2', 'numpy==2.2.6'];

/** A Python with onnxruntime from the package index, made once and kept in the cache. @returns its executable. */
export async function pythonWithOnnxruntime(): Promise<string> {
  const folder = join(cacheFolder(), 'python', PACKAGES.join('_').replaceAll('==', '-'));
  const python = join(folder, 'bin', 'python');
  if ((await stat(join(folder, 'ready')).catch(() => undefined)) !== undefined) return python;
  await rm(folder, { recursive: true, force: true });
  await run('python3', ['-m', 'venv', folder]);
  await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES]);
  // Marked last, so that a folder that a killed run has left unfinished is made again.
  await mkdir(join(folder, 'ready'));
  return python;
}
