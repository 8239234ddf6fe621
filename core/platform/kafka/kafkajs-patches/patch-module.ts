import { createRequire } from 'node:module';

/** Modules that were looked at: what a process changes, it changes once. */
const seen = new Set<string>();

/**
 * Give a module inside the client library another way of doing something. kafkajs offers none; its version is exact, and where its inside looks
 * different than expected everything stays as it is, only slower.
 */
export function changeLibrary<Module>(
  path: string,
  isExpected: (found: unknown) => found is Module,
  change: (found: Module) => void,
): void {
  if (seen.has(path)) return;
  seen.add(path);
  const found = libraryModule(path);
  if (isExpected(found)) change(found);
}

function libraryModule(path: string): unknown {
  try {
    return createRequire(__filename)(path);
  } catch {
    return undefined;
  }
}

/** Whether something has a function of this name. */
export function hasFunction<Name extends string>(
  found: unknown,
  name: Name,
): found is Record<Name, (...inputs: never) => unknown> {
  if ((typeof found !== 'object' && typeof found !== 'function') || found === null) return false;
  return typeof Reflect.get(found, name) === 'function';
}
