import { type Environment, topicPrefixOf } from '../contracts/config';
import { FedloopError } from '../contracts/errors';
import { type StreamSettings } from '../contracts/settings';
import { needsIngest } from '../contracts/source';
import { INGEST_GROUP, TOPICS } from '../contracts/topics';
import { type Kafka, type Producer } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { type Registry } from '../platform/metrics';
import { Delivery } from './delivery';
import { KafkaSource, type KafkaSourceOptions } from './kafka-source';
import { lossMessage } from './loss-message';
import { compileMapping } from './mapping';
import { ingestMetrics } from './metrics';
import { mqttLogin, type MqttLogin } from './mqtt-login';
import { MqttSource } from './mqtt-source';
import { type IngestSource } from './source';
import { SourceMemory } from './source-memory';

interface IngestOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly settings: StreamSettings;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface IngestService {
  /** Rejects when Kafka takes no events for good; never resolves. */
  readonly failed: Promise<never>;
  /** Why the source is not read; undefined while all is well. */
  health(): string | undefined;
  stop(): Promise<void>;
}

/**
 * Read the deployment's source and write its readings to `edge-iiot-stream`, keyed by device.
 * @throws FedloopError `InvalidConfig` where the source needs no ingest, cannot be read by one, or cannot be logged in to with what the environment says.
 */
export async function startIngest(options: IngestOptions): Promise<IngestService> {
  const { kafka, settings, registry } = options;
  checkSource(options);
  const login = await mqttLogin(options.env);
  const mapping = compileMapping(settings.source, settings.task);
  const producer = await kafka.producer('outage');
  const memory = await SourceMemory.open(kafka, producer, options.log);
  const partitions = await memory.spread(await kafka.offsets(TOPICS.stream.name));
  let reject: (cause: Error) => void = () => undefined;
  const failed = new Promise<never>((_, fail) => {
    reject = fail;
  });
  // Until the caller waits for it, a failure must not count as unhandled.
  failed.catch(() => undefined);
  const metrics = ingestMetrics(registry, {
    lags: () => source.lags(),
    pendingEvents: () => delivery.pendingEvents,
    isConnected: () => source.problem === undefined,
  });
  const delivery = new Delivery(mapping, settings.task, producer, partitions, metrics, reject);
  const source = sourceOf(options, { delivery, memory, login }, async (partition, lost, logId) => {
    await producer.send(TOPICS.ingestRejects.name, [lossMessage(partition, lost, logId)]);
    metrics.lost.inc({ partition }, lost.until - lost.from);
  });
  memory.keep();
  source.start();
  return { failed, health: () => source.problem, stop: () => stop(source, delivery, memory, producer) };
}

/** @throws FedloopError `InvalidConfig` */
function checkSource({ settings: { source }, env }: IngestOptions): void {
  if (!needsIngest(source)) {
    throw new FedloopError('InvalidConfig', 'this fleet sends canonical events: there is nothing to ingest', {
      hint: 'Start stream workers, which read its topic themselves, or give the deployment file a source with fields, each, wide or mqtt.',
    });
  }
  const ownTopic = topicPrefixOf(env) + TOPICS.stream.name;
  if (source.mqtt !== undefined || (source.topic !== undefined && source.topic !== ownTopic)) return;
  throw new FedloopError('InvalidConfig', `an ingest worker writes to ${ownTopic} and cannot read from it`, {
    hint: "Name the fleet's own topic in source.topic of the deployment file, or its MQTT server in source.mqtt.",
  });
}

function sourceOf(
  { kafka, env, settings, log }: IngestOptions,
  {
    delivery,
    memory,
    login,
  }: { readonly delivery: Delivery; readonly memory: SourceMemory; readonly login: MqttLogin },
  onLost: KafkaSourceOptions['onLost'],
): IngestSource {
  const { mqtt, topic = '', from } = settings.source;
  if (mqtt === undefined) return new KafkaSource({ kafka, topic, from, memory, delivery, log, onLost });
  return new MqttSource({
    kafka,
    server: mqtt,
    login,
    clientId: topicPrefixOf(env) + INGEST_GROUP,
    memory,
    delivery,
    log,
  });
}

async function stop(
  source: IngestSource,
  delivery: Delivery,
  memory: SourceMemory,
  producer: Producer,
): Promise<void> {
  source.pause();
  await delivery.settled();
  await source.close();
  await memory.close();
  await producer.disconnect();
}
