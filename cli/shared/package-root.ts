import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { parseOrThrow } from '../../core/contracts/validation';

/**
 * Folder of the installed package: the nearest one upwards whose package.json is Fedloop's. A fixed number of `..` would not do,
 * because compiled files lie one folder deeper than their sources.
 */
export function packageRoot(): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest) && /"name":\s*"fedloop"/.test(readFileSync(manifest, 'utf8'))) return folder;
    if (dirname(folder) === folder)
      throw new FedloopError('Internal', 'fedloop cannot find its own package.json');
  }
}

/** A file of the package, by its path from the package's root. */
export function packageFile(...path: readonly string[]): string {
  return join(packageRoot(), ...path);
}

/** Version in package.json. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(packageFile('package.json'), 'utf8'));
  return parseOrThrow(z.object({ version: z.string() }), manifest, 'package.json', 'Internal').version;
}
