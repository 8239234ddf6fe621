import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { FedloopError, messageOf } from '../contracts/errors';

export { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** The process's own registry: default Node.js figures plus what its role adds. */
export function createMetrics(role: string): Registry {
  const registry = new Registry();
  registry.setDefaultLabels({ role });
  collectDefaultMetrics({ register: registry });
  // Gauges under a counter's name; the same figures are there by type, without `_total`.
  for (const what of ['handles', 'requests', 'resources'])
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  return registry;
}

export type RouteHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export interface HttpServer {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * `/metrics`, `/healthz` and the role's own routes, on loopback unless told otherwise. A request whose Host header is not
 * the address we listen on is refused, so that a web page cannot reach it through DNS rebinding.
 * @throws FedloopError `PortInUse`
 */
export async function serveHttp(options: {
  readonly host: string;
  readonly port: number;
  readonly registry: Registry;
  readonly routes?: Readonly<Record<string, RouteHandler>>;
}): Promise<HttpServer> {
  const server = createServer((request, response) => {
    handle(request, response).catch((thrown: unknown) => {
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: messageOf(thrown) }));
    });
  });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    if (isLoopback(options.host) && !isLoopback((request.headers.host ?? '').replace(/:\d+$/, ''))) {
      response.writeHead(421).end();
      return;
    }
    if (path === '/metrics') {
      const text = await options.registry.metrics();
      response.writeHead(200, { 'content-type': options.registry.contentType }).end(text);
      return;
    }
    if (path === '/healthz') {
      response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
      return;
    }
    const route = options.routes?.[path];
    if (route === undefined) response.writeHead(404).end();
    else await route(request, response);
  };
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new FedloopError('PortInUse', `port ${options.port} on ${options.host} is in use`, {
              hint: 'Set FEDLOOP_HTTP_PORT to a free port, or to 0 for any.',
              cause,
            })
          : cause,
      );
    });
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

function isLoopback(host: string): boolean {
  return ['127.0.0.1', 'localhost', '[::1]', '::1'].includes(host);
}
