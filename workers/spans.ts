import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Attributes,
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  type ReadableSpan,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { type WorkflowStartInput, type WorkflowStartOutput } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, type Headers } from '@temporalio/common';
import { type ActivityInterceptorsFactory } from '@temporalio/worker';
import { z } from 'zod';
import { FedloopError, messageOf } from '../core/contracts/errors';
import { TRACE_HEADER } from '../core/contracts/tracing';

/** How long the end of a process waits for a receiver that does not answer. */
const LAST_SEND_MS = 2_000;

const carrierSchema = z.record(z.string(), z.string());
const propagator = new W3CTraceContextPropagator();

export interface SpanSettings {
  readonly protocol: 'http/protobuf' | 'http/json';
  /** Scheme, host and port, for messages. */
  readonly receiver: string;
}

interface SpanStart {
  readonly name: string;
  readonly kind: SpanKind;
  readonly attributes: Attributes;
  /** What the span belongs to; without it, it begins a trace. */
  readonly parent?: Context | undefined;
  /** Id of the trace that it begins. */
  readonly traceId?: string | undefined;
}

/** Makes the spans of a process and sends them, in batches and in the background. Sampler, batches and limits are those of the `OTEL_*` variables. */
export class Spans {
  private readonly ids = new TraceIds();
  private readonly provider: BasicTracerProvider;
  private readonly tracer: Tracer;

  /** @param warn is told once when the receiver begins to fail. */
  constructor(service: string, { protocol, receiver }: SpanSettings, warn: (sentence: string) => void) {
    const exporter = protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter();
    this.provider = new BasicTracerProvider({
      resource: defaultResource()
        .merge(resourceFromAttributes({ 'service.name': service }))
        .merge(detectResources({ detectors: [envDetector] })),
      idGenerator: this.ids,
      spanProcessors: [new BatchSpanProcessor(new WarningExporter(exporter, receiver, warn))],
    });
    this.tracer = this.provider.getTracer('fedloop');
  }

  start({ name, kind, attributes, parent = ROOT_CONTEXT, traceId }: SpanStart): Span {
    return this.ids.with(traceId, () => this.tracer.startSpan(name, { kind, attributes }, parent));
  }

  /** Send what is left. */
  async close(): Promise<void> {
    const patience = new AbortController();
    await Promise.race([
      this.provider.shutdown().catch(() => undefined),
      sleep(LAST_SEND_MS, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
  }
}

/** Random ids, but for a trace whose id is given. */
class TraceIds implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  private traceId: string | undefined;

  generateSpanId = (): string => this.random.generateSpanId();
  generateTraceId = (): string => this.traceId ?? this.random.generateTraceId();

  /** Begin a span, which happens at once, whose trace has this id if it is the first of it. */
  with<Result>(traceId: string | undefined, begin: () => Result): Result {
    this.traceId = traceId;
    try {
      return begin();
    } finally {
      this.traceId = undefined;
    }
  }
}

/** Says when a receiver begins to fail, and no more of it until it has taken something again. */
class WarningExporter implements SpanExporter {
  private isFailing = false;

  constructor(
    private readonly inner: SpanExporter,
    private readonly receiver: string,
    private readonly warn: (sentence: string) => void,
  ) {}

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.inner.export(spans, (result) => {
      const fails = result.code !== ExportResultCode.SUCCESS;
      if (fails && !this.isFailing)
        this.warn(`spans could not be sent to ${this.receiver} and are lost: ${reasonOf(result)}`);
      this.isFailing = fails;
      done(result);
    });
  }

  shutdown(): Promise<void> {
    return this.inner.shutdown();
  }

  forceFlush(): Promise<void> {
    return this.inner.forceFlush?.() ?? Promise.resolve();
  }
}

/** Node joins the refusals of several addresses under an error without a message. */
function reasonOf({ error }: ExportResult): string {
  if (error === undefined) return 'no reason is known';
  const { code } = error as NodeJS.ErrnoException;
  return error.message === '' ? (code ?? error.name) : messageOf(error);
}

/** Start a workflow in a span of its own, which all that the workflow starts belongs to. */
export async function traceStart(
  spans: Spans,
  input: WorkflowStartInput,
  next: (input: WorkflowStartInput) => Promise<WorkflowStartOutput>,
): Promise<WorkflowStartOutput> {
  const span = spans.start({
    name: `StartWorkflow:${input.workflowType}`,
    kind: SpanKind.CLIENT,
    attributes: { temporalWorkflowId: input.options.workflowId },
  });
  const carrier: Record<string, string> = {};
  propagator.inject(trace.setSpan(ROOT_CONTEXT, span), carrier, defaultTextMapSetter);
  const headers = { ...input.headers, [TRACE_HEADER]: defaultPayloadConverter.toPayload(carrier) };
  try {
    const started = await next({ ...input, headers });
    span.setAttribute('temporalRunId', started.runId);
    return started;
  } catch (thrown) {
    markFailed(span, thrown);
    throw thrown;
  } finally {
    span.end();
  }
}

/** Run each try of an activity in a span, under the start of its workflow; a run that was started without a trace has one of its own. */
export function traceActivities(spans: Spans): ActivityInterceptorsFactory {
  return ({ info, cancellationSignal }) => ({
    inbound: {
      async execute(input, next) {
        const { workflowId, runId } = info.workflowExecution ?? {};
        const span = spans.start({
          name: `RunActivity:${info.activityType}`,
          kind: SpanKind.SERVER,
          attributes: {
            temporalActivityId: info.activityId,
            temporalAttempt: info.attempt,
            temporalTaskQueue: info.taskQueue,
            ...(workflowId !== undefined && { temporalWorkflowId: workflowId }),
            ...(runId !== undefined && { temporalRunId: runId }),
            ...(info.workflowType !== undefined && { temporalWorkflowType: info.workflowType }),
          },
          parent: parentOf(input.headers),
          traceId: traceOfRun(runId),
        });
        try {
          return await next(input);
        } catch (thrown) {
          if (cancellationSignal.aborted) span.setAttribute('temporalCancelled', true);
          else markFailed(span, thrown);
          throw thrown;
        } finally {
          span.end();
        }
      },
    },
  });
}

/** What a header that we, or a program with Temporal's own interceptors, have written says. One that cannot be read is none. */
function parentOf(headers: Headers): Context | undefined {
  const payload = headers[TRACE_HEADER];
  if (payload === undefined) return undefined;
  try {
    const carrier = carrierSchema.parse(defaultPayloadConverter.fromPayload(payload));
    return propagator.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter);
  } catch {
    return undefined;
  }
}

/** A run id is a UUID: as many bits as the id of a trace. */
function traceOfRun(runId: string | undefined): string | undefined {
  const bits = runId?.replaceAll('-', '').toLowerCase();
  return bits !== undefined && /^(?!0{32})[0-9a-f]{32}$/.test(bits) ? bits : undefined;
}

/** The kind of failure alone: its message may hold what was in a payload, and stands in Temporal's history. */
function markFailed(span: Span, thrown: unknown): void {
  const kind = kindOf(thrown);
  span.setAttribute('error.type', kind);
  span.setStatus({ code: SpanStatusCode.ERROR, message: kind });
}

function kindOf(thrown: unknown): string {
  if (thrown instanceof ApplicationFailure && typeof thrown.type === 'string') return thrown.type;
  if (thrown instanceof FedloopError) return thrown.code;
  return thrown instanceof Error ? thrown.name : 'Error';
}
