import { randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { FedloopError, messageOf } from '../../contracts/errors';

/** Who may ask: whoever can read the token's file, which is its owner, or has been given the token. */

/** Value of FEDLOOP_SQL_TOKEN by which an operator lets everybody ask who reaches the port. */
export const NO_TOKEN = 'off';

const TOKEN_BYTES = 32;

/** The token's file lies beside the warehouse, so that each has its own. */
export function tokenFileOf(warehouse: string): string {
  return `${warehouse}.token`;
}

/**
 * The token of a worker: the operator's, else the file's, which is made where it is missing.
 * @returns undefined when none is wanted.
 * @throws FedloopError `InvalidConfig`
 */
export async function ensureToken(
  warehouse: string,
  configured: string | undefined,
): Promise<string | undefined> {
  if (configured !== undefined) return configured === NO_TOKEN ? undefined : configured;
  const file = tokenFileOf(warehouse);
  try {
    const kept = await readToken(warehouse);
    const token = kept ?? randomBytes(TOKEN_BYTES).toString('hex');
    if (kept === undefined) await writeFile(file, `${token}\n`, { mode: 0o600 });
    await chmod(file, 0o600);
    return token;
  } catch (cause) {
    throw new FedloopError('InvalidConfig', `the token file ${file} cannot be used: ${messageOf(cause)}`, {
      hint: 'Remove it, or set FEDLOOP_SQL_TOKEN.',
      cause,
    });
  }
}

/** The token in a warehouse's file; undefined where there is none, or it is somebody else's. */
export async function readToken(warehouse: string): Promise<string | undefined> {
  const text = await readFile(tokenFileOf(warehouse), 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

/** Compares in the same time whatever is wrong. */
export function isAuthorized(header: string | undefined, token: string | undefined): boolean {
  if (token === undefined) return true;
  const given = Buffer.from(header ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
