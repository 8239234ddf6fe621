import { realpath } from 'node:fs/promises';

/**
 * Whether an entry that was found in `here` is a copy's: the place that it names is another one, and still there. A folder that was moved keeps
 * its entries.
 */
export async function isCopied(named: string, here: string): Promise<boolean> {
  const original = await realOf(named);
  return original !== undefined && original !== (await realOf(here));
}

function realOf(path: string): Promise<string | undefined> {
  return realpath(path).catch(() => undefined);
}
