import { isIP } from 'node:net';

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]', '::1']);

/**
 * Whether a request's Host header is one that we are reached by. A web page can have its own name resolve to our address (DNS rebinding), and
 * would be read as if it were ours: its name stands in the header.
 *
 * @param bound the address we listen on. On loopback it must be loopback. Elsewhere addresses are taken, and names without a dot, which nobody can
 *   register: a container's or a machine's own.
 * @param names others that an operator has allowed.
 */
export function isOwnHost(header: string | undefined, bound: string, names: readonly string[]): boolean {
  const host = (header ?? '').replace(/:\d*$/, '').toLowerCase();
  if (LOOPBACK.has(host) || names.includes(host)) return true;
  if (LOOPBACK.has(bound)) return false;
  return isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0 || /^[a-z0-9_-]+$/.test(host);
}
