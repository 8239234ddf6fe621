import { createServer, connect, type AddressInfo } from 'node:net';
import { FedloopError } from '../../core/contracts/errors';

const LOOPBACK = '127.0.0.1';

/** Different free ports on loopback. Another program may take one before its server does. */
export async function freePorts(count: number): Promise<readonly number[]> {
  // Held open together, so that the system doesn't hand out the same one twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listen(0)));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/**
 * Check a port that the user named.
 * @throws FedloopError `PortInUse`
 */
export async function requireFree(port: number, option: string): Promise<number> {
  try {
    const server = await listen(port);
    await new Promise((resolve) => server.close(resolve));
    return port;
  } catch (cause) {
    throw new FedloopError('PortInUse', `port ${port} is in use by another program`, {
      hint: `Give ${option} another port, or leave it out for any free one.`,
      cause,
    });
  }
}

/** Whether a server could listen on the port now. */
export function isFree(port: number): Promise<boolean> {
  return requireFree(port, '').then(
    () => true,
    () => false,
  );
}

/** Whether `host:port` accepts connections within the time. */
export function answers(address: string, timeoutMillis: number): Promise<boolean> {
  const { host, port } = splitAddress(address);
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (yes: boolean) => (): void => {
      socket.destroy();
      resolve(yes);
    };
    socket
      .setTimeout(timeoutMillis, settle(false))
      .once('connect', settle(true))
      .once('error', settle(false));
  });
}

/** `host:port`, `[::1]:port`. @throws FedloopError `InvalidConfig` for anything else. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new FedloopError('InvalidConfig', `"${address}" is not an address`, {
      hint: 'Write it as host:port, such as 127.0.0.1:9092.',
    });
  }
  return { host, port };
}

function listen(port: number): Promise<ReturnType<typeof createServer>> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, LOOPBACK, () => {
      resolve(server);
    });
  });
}
