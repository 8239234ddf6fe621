import { clientTracing, tracesWanted, workerTracing } from '../../../workers/tracing';
import { silentLogger } from '../../../core/platform/log';

const endpoint = 'https://user:secret@collector:4318/base';

describe('whether traces are sent', () => {
  it.each([
    ['nothing is set', {}],
    ['the endpoint is empty', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['the SDK is turned off', { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: 'true' }],
    ['traces are turned off', { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_EXPORTER: 'none' }],
  ])('no: %s', async (_, env) => {
    expect(tracesWanted(env)).toBeUndefined();
    expect((await workerTracing('rounds', silentLogger(), env)).activities).toEqual([]);
    expect(clientTracing(env, () => undefined).workflow).toEqual([]);
  });

  it('yes: an endpoint is named, and no more of it is said than where it is', () => {
    expect(tracesWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })).toEqual({
      protocol: 'http/protobuf',
      receiver: 'https://collector:4318',
    });
  });

  it('what is set for traces alone goes before what is set for all signals', () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:1/v1/traces',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
    };
    expect(tracesWanted(env)).toEqual({ protocol: 'http/json', receiver: 'http://traces:1' });
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' }, 'is no URL'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'not sent as grpc'],
  ])('refuses what it cannot do: %j', (env, message) => {
    expect(() => tracesWanted(env)).toThrow(message);
  });
});
