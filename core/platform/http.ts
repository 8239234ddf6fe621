import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { FedloopError, messageOf } from '../contracts/errors';
import { isOwnHost } from './host-check';
import { type Registry } from './metrics';

export type RouteHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/** Those who look are a scraper, a few people and a few programs. More connections would take the files that a worker needs. */
const MAX_CONNECTIONS = 256;

const NOT_OURS =
  'this worker is not reached by the name in the Host header: use its address, or have FEDLOOP_HTTP_NAMES name it';

/** What `/healthz` says of a process that waits for nothing. */
export const HEALTHY = 'ok';

/** A route that can only be looked at. */
function viewRoute(type: string, view: () => Promise<string> | string): RouteHandler {
  return async ({ method = '' }, response) => {
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    const body = await view();
    response.writeHead(200, { 'content-type': type }).end(body);
  };
}

/** A route that answers with JSON. */
export function jsonRoute(answer: () => unknown): RouteHandler {
  return viewRoute('application/json', async () => JSON.stringify(await answer()));
}

export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * `/metrics`, `/healthz` and the role's own routes, on loopback by default. A request whose Host header is none that
 * we are reached by is refused, so that a web page cannot reach it through DNS rebinding.
 * @throws FedloopError `PortInUse`
 */
export async function serveHttp(options: {
  readonly host: string;
  readonly port: number;
  /** Names that we are reached by, beside those that `isOwnHost` takes anyway. */
  readonly names?: readonly string[];
  readonly registry: Registry;
  readonly routes?: Readonly<Record<string, RouteHandler>>;
  /** What the process waits for outside of itself. It is alive all the same: no restart would help. */
  readonly health?: () => string | undefined;
}): Promise<HttpServer> {
  const { host, port, registry, health, names = [] } = options;
  const routes: Readonly<Record<string, RouteHandler>> = {
    ...options.routes,
    '/metrics': viewRoute(registry.contentType, () => registry.metrics()),
    '/healthz': viewRoute('text/plain', () => `${health?.() ?? HEALTHY}\n`),
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const route = routes[(request.url ?? '/').split('?')[0] ?? '/'];
    if (!isOwnHost(request.headers.host, host, names))
      response.writeHead(421, { 'content-type': 'text/plain' }).end(`${NOT_OURS}\n`);
    else if (route === undefined) response.writeHead(404).end();
    else await route(request, response);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((thrown: unknown) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: messageOf(thrown) }));
    });
  });
  try {
    await once(server.listen(port, host), 'listening');
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw cause;
    const hint = 'Set FEDLOOP_HTTP_PORT to a free port, or to 0 for any.';
    throw new FedloopError('PortInUse', `port ${port} on ${host} is in use`, { hint, cause });
  }
  server.maxConnections = MAX_CONNECTIONS;
  // A connection that cannot be accepted, such as for too many open files, must not end the process.
  server.on('error', () => undefined);
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
