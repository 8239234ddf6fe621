import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Make a folder and those above it. On a read-only file system Node's own way says that something does not exist; this one says
 * what is the matter.
 * @throws the error of the system
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    await mkdir(await firstMissing(path));
    // It could be made after all, by somebody else or after the trouble was over.
    await mkdir(path, { recursive: true }).catch(() => {
      throw cause;
    });
  }
}

async function firstMissing(path: string): Promise<string> {
  const above = dirname(path);
  const isThere = await access(above).then(
    () => true,
    () => false,
  );
  return isThere || above === path ? path : firstMissing(above);
}
