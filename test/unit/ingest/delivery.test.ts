import * as fc from 'fast-check';
import { sourceSchema } from '../../../core/contracts/source';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { TOPICS } from '../../../core/contracts/topics';
import { Delivery, type SourceMessage } from '../../../core/ingest/delivery';
import { INGEST_LIMITS } from '../../../core/ingest/limits';
import { compileMapping } from '../../../core/ingest/mapping';
import { ingestMetrics } from '../../../core/ingest/metrics';
import { type OutgoingMessage, partitionOf, type Producer } from '../../../core/platform/kafka';
import { createMetrics, type Registry } from '../../../core/platform/metrics';

const NOW = Date.UTC(2026, 0, 1);
const MAPPING = compileMapping(sourceSchema.parse({ topic: 't', each: '/list' }), DEFAULT_TASK);
const PARTITIONS = 3;

/** A delivery whose producer keeps what it is sent, or refuses it. */
function world(refuses = false): {
  readonly delivery: Delivery;
  readonly sent: Map<string, OutgoingMessage[]>;
  readonly failures: Error[];
  readonly registry: Registry;
} {
  const sent = new Map<string, OutgoingMessage[]>();
  const failures: Error[] = [];
  const producer: Producer = {
    send: (topic, messages) => {
      if (refuses) return Promise.reject(new Error('the broker is gone'));
      sent.set(topic, [...(sent.get(topic) ?? []), ...messages]);
      return Promise.resolve([]);
    },
    disconnect: () => Promise.resolve(),
  };
  const registry = createMetrics('ingest');
  const state = { lags: () => new Map<number, number>(), pendingEvents: () => 0, isConnected: () => true };
  const metrics = ingestMetrics(registry, state);
  const onFailure = (cause: Error): void => void failures.push(cause);
  const delivery = new Delivery(MAPPING, DEFAULT_TASK, producer, PARTITIONS, metrics, onFailure, () => NOW);
  return { delivery, sent, failures, registry };
}

async function total(registry: Registry, name: string): Promise<number> {
  const { values } = (await registry.getSingleMetric(name)!.get()) as { values: { value: number }[] };
  return values.reduce((sum, { value }) => sum + value, 0);
}

function message(value: unknown, parts: Partial<SourceMessage> = {}): SourceMessage {
  return {
    bytes: Buffer.from(JSON.stringify(value)),
    topic: 't',
    partition: 0,
    offset: 7,
    timestampMillis: NOW,
    ...parts,
  };
}

const reading = (id: unknown): unknown => ({ device_id: id, timestamp: NOW, temperature: 1 });

describe('what is delivered', () => {
  it('adds up: messages = mapped + rejected, readings = events written, rejects = rejects written', async () => {
    const element = fc.oneof(fc.nat(50).map(reading), fc.constant({}), fc.string().map(reading));
    const value = fc.oneof(
      fc.array(element).map((list) => ({ list })),
      fc.json(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(value)), async (batches) => {
        const { delivery, sent, registry } = world();
        await Promise.all(batches.map((batch) => delivery.deliver(batch.map((one) => message(one)))));
        await delivery.settled();
        const events = sent.get(TOPICS.stream.name) ?? [];
        expect(await total(registry, 'fedloop_ingest_messages_total')).toBe(batches.flat().length);
        expect(await total(registry, 'fedloop_ingest_readings_total')).toBe(events.length);
        expect(await total(registry, 'fedloop_ingest_rejects_total')).toBe(
          sent.get(TOPICS.ingestRejects.name)?.length ?? 0,
        );
        for (const { key, partition } of events) expect(partition).toBe(partitionOf(key ?? '', PARTITIONS));
        expect(delivery.pendingEvents).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('carries a bad message once, however many rejects it gives', async () => {
    const { delivery, sent } = world();
    await delivery.deliver([message({ list: [{}, {}] })]);
    const rejects = sent.get(TOPICS.ingestRejects.name)!;
    expect(rejects.map(({ key, value }) => [key, String(value).length > 0])).toEqual([
      ['t/0/7/0', true],
      ['t/0/7/1', false],
    ]);
  });

  it('has the time of ingest where a broker would refuse the record', async () => {
    const { delivery, sent, registry } = world();
    const ahead = NOW + INGEST_LIMITS.stampAheadMillis;
    const stamped = [ahead, ahead + 1, -1].map((timestampMillis) =>
      message({ list: [reading('a')] }, { timestampMillis }),
    );
    await delivery.deliver(stamped);
    const stamps = sent.get(TOPICS.stream.name)!.map(({ timestampMillis }) => timestampMillis);
    expect(stamps).toEqual([ahead, NOW, undefined]);
    expect(await total(registry, 'fedloop_ingest_restamped_total')).toBe(1);
  });

  it('is not reported when the broker refuses it', async () => {
    const { delivery, failures, registry } = world(true);
    let isDelivered = false;
    void delivery.deliver([message({ list: [reading('a')] })]).then(() => (isDelivered = true));
    await delivery.settled();
    expect(failures).toHaveLength(1);
    expect(isDelivered).toBe(false);
    expect(await total(registry, 'fedloop_ingest_messages_total')).toBe(0);
  });
});
