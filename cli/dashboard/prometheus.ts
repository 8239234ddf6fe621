import { z } from 'zod';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { type TimeRange } from './variables';

/** A value at a time (seconds since 1970). */
interface Sample {
  readonly at: number;
  readonly value: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly Sample[];
}

const sampleSchema = z
  .tuple([z.number(), z.string()])
  .transform(([at, text]): Sample => ({ at, value: Number(text.replace('Inf', 'Infinity')) }));
const labelsSchema = z.record(z.string(), z.string());
const answerSchema = z.discriminatedUnion('resultType', [
  z.object({
    resultType: z.literal('vector'),
    result: z.array(z.object({ metric: labelsSchema, value: sampleSchema })),
  }),
  z.object({
    resultType: z.literal('matrix'),
    result: z.array(z.object({ metric: labelsSchema, values: z.array(sampleSchema) })),
  }),
  z.object({ resultType: z.literal('scalar'), result: sampleSchema }),
]);
const responseSchema = z.discriminatedUnion('status', [
  z.object({ status: z.literal('success'), data: answerSchema }),
  z.object({ status: z.literal('error'), errorType: z.string(), error: z.string() }),
]);

/** Queries to a Prometheus, by its HTTP interface. */
export interface Prometheus {
  /** Values at one timestamp. */
  now(expr: string, at: number): Promise<readonly Series[]>;
  over(expr: string, range: TimeRange): Promise<readonly Series[]>;
  /** Seconds between scrapes, from the server's configuration. */
  scrapeSeconds(): Promise<number>;
}

const configSchema = z.object({ data: z.object({ yaml: z.string() }) });

/**
 * @throws FedloopError (on each query) `ServerUnavailable` without an answer, `InvalidInput` for a query that it refuses.
 */
export function connectPrometheus(url: string): Prometheus {
  const base = url.endsWith('/') ? url : `${url}/`;
  const get = async (path: string, values: Readonly<Record<string, string>>): Promise<unknown> => {
    try {
      const answer = await fetch(new URL(`${path}?${new URLSearchParams(values).toString()}`, base), {
        signal: AbortSignal.timeout(LIMITS.prometheusQueryMillis),
      });
      return await answer.json();
    } catch (cause) {
      throw new FedloopError('ServerUnavailable', `no Prometheus answers at ${url}: ${messageOf(cause)}`, {
        hint: 'Name it with --prometheus.',
        cause,
      });
    }
  };
  const query = async (
    path: string,
    values: Readonly<Record<string, string>>,
  ): Promise<readonly Series[]> => {
    const parsed = responseSchema.safeParse(await get(path, values));
    if (!parsed.success)
      throw new FedloopError('ServerUnavailable', `the server at ${url} is not a Prometheus`);
    const { data: response } = parsed;
    if (response.status === 'error')
      throw new FedloopError(
        'InvalidInput',
        `Prometheus refuses ${values['query'] ?? ''}: ${response.error}`,
      );
    const { data } = response;
    switch (data.resultType) {
      case 'vector':
        return data.result.map(({ metric, value }) => ({ labels: metric, samples: [value] }));
      case 'matrix':
        return data.result.map(({ metric, values: samples }) => ({ labels: metric, samples }));
      case 'scalar':
        return [{ labels: {}, samples: [data.result] }];
    }
  };
  return {
    now: (expr, at) => query('api/v1/query', { query: expr, time: String(at) }),
    over: (expr, { from, to, step }) =>
      query('api/v1/query_range', { query: expr, start: String(from), end: String(to), step: String(step) }),
    async scrapeSeconds() {
      const parsed = configSchema.safeParse(await get('api/v1/status/config', {}));
      const text = parsed.success ? /scrape_interval: (\d+)(s|m)/.exec(parsed.data.data.yaml) : null;
      return text === null ? DEFAULT_SCRAPE_SECONDS : Number(text[1]) * (text[2] === 'm' ? 60 : 1);
    },
  };
}

/** Default of Grafana's Prometheus datasource. */
const DEFAULT_SCRAPE_SECONDS = 15;
