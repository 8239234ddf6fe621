import { createServer, type AddressInfo } from 'node:net';
import { type TelemetryOptions } from '@temporalio/worker';
import { FedloopError, messageOf } from '../core/contracts/errors';
import { type RouteHandler } from '../core/platform/http';

/** Where a worker's HTTP address serves the metrics of Temporal's SDK. */
export const SDK_METRICS_PATH = '/metrics/temporal';

const HOST = '127.0.0.1';

/** The SDK has one runtime a process, and so one address. */
let reserved: { readonly port: number; used: boolean } | undefined;

/**
 * The SDK serves its metrics from its native core, on a port that must be known before. It listens on loopback alone; the
 * worker's own address forwards them, so that one port a process is enough.
 */
export async function reserveSdkMetrics(): Promise<void> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, HOST, resolve);
  });
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  reserved = { port, used: false };
}

/** For the runtime: names and units stay the SDK's own, published dashboards expect them. */
export function sdkTelemetry(): TelemetryOptions {
  if (reserved === undefined) return {};
  reserved.used = true;
  return { metrics: { prometheus: { bindAddress: `${HOST}:${reserved.port}` } } };
}

/** Forwards the SDK's metrics; a process without Temporal has none. */
export const sdkMetricsRoute: RouteHandler = async (_request, response) => {
  let text = '';
  if (reserved?.used === true) {
    try {
      const answer = await fetch(`http://${HOST}:${reserved.port}/metrics`);
      text = await answer.text();
    } catch (cause) {
      throw new FedloopError(
        'ServerUnavailable',
        `the metrics of Temporal's SDK could not be read: ${messageOf(cause)}`,
        { cause },
      );
    }
  }
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
};
