import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { readEnvironment } from '../../../core/platform/config';
import { isOwnHost } from '../../../core/platform/host-check';
import { jsonRoute, serveHttp, type HttpServer } from '../../../core/platform/http';
import { createMetrics } from '../../../core/platform/metrics';

const ROOT = join(__dirname, '../../..');
/** Every route that some role has; `/sql` wants its token beside (sql-limits.test.ts). */
const ROUTES = ['/metrics', '/healthz', '/metrics/temporal', '/sql', '/marks', '/status'];

describe('a worker’s HTTP address', () => {
  let http: HttpServer;
  beforeAll(async () => {
    const own = ROUTES.slice(2).map((path) => [path, jsonRoute(() => 'told')] as const);
    const { FEDLOOP_HTTP_HOST: host } = readEnvironment({});
    const registry = createMetrics('test');
    http = await serveHttp({ host, port: 0, registry, routes: Object.fromEntries(own) });
  });
  afterAll(() => http.close());

  const ask = (path: string, host: string): Promise<{ readonly status: number; readonly body: string }> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(http.url);
      request({ hostname, port, path, headers: { host } }, (response) => {
        let body = '';
        response.on('data', (part: Buffer) => (body += part.toString()));
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, body });
        });
      })
        .on('error', reject)
        .end();
    });

  it('is loopback, where nothing else was asked for', () => {
    expect(new URL(http.url).hostname).toBe('127.0.0.1');
  });

  it.each(ROUTES)('can only be looked at: %s', async (path) => {
    const answers = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'].map((method) =>
      fetch(`${http.url}${path}`, { method }),
    );
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses).toEqual([200, 200, 405, 405, 405]);
  });

  it.each(ROUTES)('tells a web page of another name nothing of %s', async (path) => {
    const { port } = new URL(http.url);
    expect((await ask(path, `127.0.0.1:${port}`)).status).toBe(200);
    for (const host of [
      `rebound.example:${port}`,
      'localhost.rebound.example',
      '127.0.0.1.nip.example',
      '10.0.0.1',
    ]) {
      const { status, body } = await ask(path, host);
      expect([host, status]).toEqual([host, 421]);
      expect(body).toContain('FEDLOOP_HTTP_NAMES');
    }
  });
});

describe('a worker that somebody opens connections to without end', () => {
  it('closes those beyond 256 and keeps the others', async () => {
    const http = await serveHttp({ host: '127.0.0.1', port: 0, registry: createMetrics('test') });
    const { port } = new URL(http.url);
    const open: Socket[] = [];
    const closed = new Set<Socket>();
    for (let index = 0; index < 300; index += 1) {
      const socket = connect(Number(port), '127.0.0.1');
      open.push(socket);
      socket.on('error', () => undefined).on('close', () => closed.add(socket));
      await once(socket, 'connect');
    }
    while (closed.size < 44) await setImmediate();
    expect(closed.size).toBe(44);
    open[0]?.destroy();
    while (closed.size < 45) await setImmediate();
    expect((await fetch(`${http.url}/healthz`)).status).toBe(200);
    for (const socket of open) socket.destroy();
    await http.close();
  });
});

describe('a worker that listens beyond loopback', () => {
  it.each([
    ['10.1.2.3:9464', true],
    ['[fd00::1]:9464', true],
    ['analytics:9464', true],
    ['localhost:9464', true],
    ['analytics.fleet.svc.cluster.local:9464', true],
    ['rebound.example:9464', false],
    ['analytics.rebound.example', false],
    [undefined, false],
  ])('is reached by %s: %s', (host, reached) => {
    const { FEDLOOP_HTTP_NAMES: names } = readEnvironment({
      FEDLOOP_HTTP_NAMES: 'Analytics.fleet.svc.cluster.local, other.example',
    });
    expect(isOwnHost(host, '0.0.0.0', names)).toBe(reached);
  });
});

describe('servers in this repository', () => {
  it('listen in these files alone, all of them on loopback by default', () => {
    const listening = ['core', 'activities', 'workers', 'cli', 'fleet', 'bench']
      .flatMap((room) =>
        readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' }).map((file) => join(room, file)),
      )
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => readFileSync(join(ROOT, file), 'utf8').includes('createServer('));
    expect(listening.sort()).toEqual([
      'cli/servers/ports.ts',
      'core/platform/http.ts',
      'workers/sdk-metrics.ts',
    ]);
    expect(readFileSync(join(ROOT, 'cli/servers/start-prometheus.ts'), 'utf8')).toContain(
      '--web.listen-address=127.0.0.1:',
    );
  });
});
