import { type WorkflowClientInterceptor } from '@temporalio/client';
import { type ActivityInterceptorsFactory } from '@temporalio/worker';
import { FedloopError } from '../core/contracts/errors';
import { type Logger } from '../core/platform/log';
import { type SpanSettings, type Spans } from './spans';

/** What a worker's activities are traced with: nothing unless the environment asks for it. */
export interface Tracing {
  readonly activities: readonly ActivityInterceptorsFactory[];
  /** Send what has not been sent yet, for some seconds at most. Never fails. */
  stop(): Promise<void>;
}

/** What a client's starts of workflows are traced with. */
export interface ClientTracing {
  readonly workflow: WorkflowClientInterceptor[];
  /** As `Tracing.stop`. */
  stop(): Promise<void>;
}

/** Of a worker that runs no activities, or whose environment asks for no traces. */
export const NO_TRACING: Tracing = { activities: [], stop: () => Promise.resolve() };

const PROTOCOLS = ['http/protobuf', 'http/json'] as const;

/**
 * What the variables of the OpenTelemetry specification ask for: spans are sent where they name an endpoint. Everything else of theirs (headers,
 * certificates, sampler, batches, resource) is read by OpenTelemetry itself.
 * @returns undefined where they ask for none.
 * @throws FedloopError `InvalidConfig` for an endpoint that is no URL, and for a protocol that is not spoken.
 */
export function tracesWanted(env: NodeJS.ProcessEnv): SpanSettings | undefined {
  const of = (name: string): string => (env[name] ?? '').trim();
  const ofTraces = (name: string): string =>
    of(`OTEL_EXPORTER_OTLP_TRACES_${name}`) || of(`OTEL_EXPORTER_OTLP_${name}`);
  const endpoint = ofTraces('ENDPOINT');
  if (endpoint === '' || of('OTEL_SDK_DISABLED').toLowerCase() === 'true') return undefined;
  if (!['', 'otlp'].includes(of('OTEL_TRACES_EXPORTER').toLowerCase())) return undefined;
  if (!/^https?:\/\/./i.test(endpoint) || !URL.canParse(endpoint))
    throw new FedloopError('InvalidConfig', 'the endpoint of OTEL_EXPORTER_OTLP_ENDPOINT is no URL', {
      hint: 'Such as http://localhost:4318; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is taken as it is, with its path.',
    });
  const wanted = ofTraces('PROTOCOL').toLowerCase() || PROTOCOLS[0];
  const protocol = PROTOCOLS.find((one) => one === wanted);
  if (protocol === undefined)
    throw new FedloopError('InvalidConfig', `traces are not sent as ${wanted}`, {
      hint: `OTEL_EXPORTER_OTLP_PROTOCOL is one of ${PROTOCOLS.join(', ')}; receivers take both on port 4318.`,
    });
  // Whoever reads a log needs neither a path nor a password.
  return { protocol, receiver: new URL(endpoint).origin };
}

/**
 * Trace the activities of a worker, where the environment asks for it: without, nothing of OpenTelemetry is loaded.
 * @param role names the service unless `OTEL_SERVICE_NAME` does.
 * @throws FedloopError `InvalidConfig` as `tracesWanted`
 */
export async function workerTracing(
  role: string,
  log: Logger,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Tracing> {
  const wanted = tracesWanted(env);
  if (wanted === undefined) return NO_TRACING;
  const { Spans, traceActivities } = await import('./spans.js');
  log.info({ receiver: wanted.receiver }, 'activities are traced');
  const spans = new Spans(`fedloop-${role}`, wanted, (sentence) => {
    log.warn(sentence);
  });
  return { activities: [traceActivities(spans)], stop: () => spans.close() };
}

/**
 * Trace the workflows that a client starts, where the environment asks for it. OpenTelemetry is loaded at the first start: most commands only look.
 * @throws FedloopError `InvalidConfig` as `tracesWanted`
 */
export function clientTracing(env: NodeJS.ProcessEnv, warn: (sentence: string) => void): ClientTracing {
  const wanted = tracesWanted(env);
  if (wanted === undefined) return { workflow: [], stop: () => Promise.resolve() };
  let opened: Promise<Spans> | undefined;
  const open = async (): Promise<Spans> => {
    const { Spans } = await import('./spans.js');
    return new Spans('fedloop', wanted, warn);
  };
  return {
    workflow: [
      {
        async startWithDetails(input, next) {
          opened ??= open();
          const { traceStart } = await import('./spans.js');
          return traceStart(await opened, input, next);
        },
      },
    ],
    stop: async () => (await opened)?.close(),
  };
}
