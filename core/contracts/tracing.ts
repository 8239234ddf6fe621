/** Header of workflows and activities with the W3C trace context: the one that Temporal's own OpenTelemetry interceptors use in every language. */
export const TRACE_HEADER = '_tracer-data';
