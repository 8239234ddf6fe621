import { createRequire } from 'node:module';
import { z } from 'zod';

/** The version of kafkajs that the patches were read against; package.json asks for it exactly. */
export const KAFKAJS_VERSION = '2.2.4';

/** A change to one module inside kafkajs, which offers no other way to change it. */
export interface LibraryPatch {
  readonly name: string;
  /** Path of the module. */
  readonly module: string;
  /** What the process does where the patch did not take hold, as the end of a sentence. */
  readonly otherwise: string;
  /** @returns false when the module looks different than expected, and is left as it is. */
  apply(module: unknown): boolean;
}

/** @returns undefined when there is no such module. */
export type LoadModule = (path: string) => unknown;

/** @returns why the patch did not take hold; undefined when it did. */
export function applyPatch(patch: LibraryPatch, load: LoadModule = loadModule): string | undefined {
  const version = packageSchema.safeParse(load('kafkajs/package.json')).data?.version;
  if (version !== KAFKAJS_VERSION)
    return `it was written for kafkajs ${KAFKAJS_VERSION}, and ${version ?? 'another'} is installed`;
  return patch.apply(load(patch.module)) ? undefined : `${patch.module} looks different than expected`;
}

const packageSchema = z.object({ version: z.string() });

function loadModule(path: string): unknown {
  try {
    return createRequire(__filename)(path);
  } catch {
    return undefined;
  }
}

/** Whether a module, or what it exports, has this function of the library: its signature is that of the version that was read. */
export function hasFunction<Library>(found: unknown, name: keyof Library & string): found is Library {
  if ((typeof found !== 'object' && typeof found !== 'function') || found === null) return false;
  return typeof Reflect.get(found, name) === 'function';
}

/** What objects of a class of the library are made from; undefined where it lacks one of these methods. */
export function prototypeWith<Library>(
  found: unknown,
  first: keyof Library & string,
  ...others: readonly (keyof Library & string)[]
): Library | undefined {
  const prototype: unknown = typeof found === 'function' ? found.prototype : undefined;
  if (!hasFunction<Library>(prototype, first)) return undefined;
  return others.every((name) => hasFunction<Library>(prototype, name)) ? prototype : undefined;
}
