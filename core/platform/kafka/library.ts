import { createRequire } from 'node:module';

/** A module inside the client library, to be given another way of doing something; undefined where it looks different. */
export function libraryModule<Module>(
  path: string,
  isExpected: (found: unknown) => found is Module,
): Module | undefined {
  try {
    const found: unknown = createRequire(__filename)(path);
    return isExpected(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
