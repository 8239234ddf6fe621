import { createHash } from 'node:crypto';
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { z } from 'zod';
import { FedloopError } from '../../../contracts/errors';
import { type OwnStrategyName, packageOf } from '../../../contracts/strategies';
import { parseJson } from '../../../contracts/validation';
import { MAX_MODULE_BYTES } from './limits';

/** A module that may be loaded. */
export interface StrategyModule {
  /** As a round names it. */
  readonly name: string;
  /** Its folder, and its file in it, both without symbolic links. */
  readonly folder: string;
  readonly file: string;
  /** Of the file's bytes. */
  readonly sha256: string;
}

/** The variable of the rounds worker that allows own strategies. */
export const STRATEGIES_VARIABLE = 'FEDLOOP_STRATEGIES';

/**
 * The file of a strategy of one's own, inside the folder that the operator of the worker allows.
 * @param folder undefined: none is allowed
 * @throws FedloopError `InvalidConfig` where none is allowed, `NotFound` for a module that is not there, `InvalidInput` for one outside the folder
 */
export async function locateStrategy(
  folder: string | undefined,
  name: OwnStrategyName,
): Promise<StrategyModule> {
  if (folder === undefined) {
    throw new FedloopError(
      'InvalidConfig',
      `strategy ${name}: this rounds worker allows no strategies of your own`,
      {
        hint: `Start it with ${STRATEGIES_VARIABLE}=FOLDER, the folder with the modules that it may load.`,
      },
    );
  }
  const root = await realpath(folder).catch((cause: unknown) => {
    const message = `strategy ${name}: the folder ${folder} of ${STRATEGIES_VARIABLE} cannot be read`;
    throw new FedloopError('InvalidConfig', message, { cause });
  });
  const inside = packageOf(name);
  const wanted = inside === undefined ? join(root, name) : await entryOfPackage(root, inside);
  return moduleAt(name, root, wanted);
}

/** @throws FedloopError as `locateStrategy` */
export async function moduleAt(name: string, folder: string, wanted: string): Promise<StrategyModule> {
  const file = await realpath(wanted).catch((cause: unknown) => {
    throw new FedloopError('NotFound', `strategy ${name}: there is no such module in ${folder}`, { cause });
  });
  if (!file.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
    throw new FedloopError('InvalidInput', `strategy ${name}: it lies outside of ${folder}`, {
      hint: 'A symbolic link must not lead out of the folder.',
    });
  }
  const about = await stat(file);
  if (!about.isFile() || about.size > MAX_MODULE_BYTES) {
    const size = `a file of at most ${MAX_MODULE_BYTES / 1024 / 1024} MB`;
    throw new FedloopError('InvalidInput', `strategy ${name}: it is not ${size}`);
  }
  return { name, folder, file, sha256: await sha256OfFile(file) };
}

export async function sha256OfFile(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

/** What an `exports` of a package.json can be, as far as it leads to one file. */
type Target = string | { readonly [condition: string]: Target } | null;
const targetSchema: z.ZodType<Target> = z.lazy(() =>
  z.union([z.string(), z.null(), z.record(z.string(), targetSchema)]),
);
const manifestSchema = z.object({
  exports: targetSchema.optional().catch(undefined),
  main: z.string().optional().catch(undefined),
});

/** As Node resolves it for `import`, except that no folder further up is searched. */
async function entryOfPackage(root: string, name: string): Promise<string> {
  const folder = join(root, 'node_modules', name);
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch((cause: unknown) => {
    throw new FedloopError('NotFound', `strategy package:${name}: there is no package ${name} in ${root}`, {
      hint: `Install it there: npm install --prefix ${root} ${name}`,
      cause,
    });
  });
  const manifest = manifestSchema.safeParse(parseJson(text));
  const { exports: exported, main } = manifest.success ? manifest.data : {};
  return join(folder, targetOf(exported) ?? main ?? 'index.js');
}

const CONDITIONS: readonly string[] = ['.', 'node', 'import', 'module-sync', 'require', 'default'];

function targetOf(target: Target | undefined): string | undefined {
  if (typeof target === 'string') return target;
  for (const [condition, inner] of Object.entries(target ?? {})) {
    const found = CONDITIONS.includes(condition) ? targetOf(inner) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}
