import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompressionTypes,
  Partitioners,
  type Kafka as KafkaJs,
  type Message,
  type Producer as LibraryProducer,
} from 'kafkajs';
import { FedloopError } from '../../contracts/errors';
import { MAX_BATCH_BYTES } from '../../contracts/topics';
import { type Logger } from '../log';
import { METADATA_MAX_AGE_MS } from './group-consumer';
import { orNotAllowed, orTooLarge } from './kafka-trouble';
import { type MissingTopics } from './missing-topics';
import { missingTopic } from './topic-offsets';
import { type OutgoingMessage, type Position, type Producer } from './types';

/** Offsets, lengths and key framing of one record, rounded up. */
const RECORD_OVERHEAD_BYTES = 64;
const ACKS_FROM_ALL = -1;
/** Several times as long as the library's knowledge of a topic may be old. */
const NEW_PARTITION_WAIT_MS = 30_000;
const NEW_PARTITION_POLL_MS = 200;
/** A broker that takes messages does so within milliseconds; a far longer wait should show in the log. */
const WARN_AFTER_MS = 10_000;

interface ProducerOptions {
  readonly topicName: (name: string) => string;
  readonly missing: MissingTopics;
  readonly log: Logger;
}

export async function createProducer(client: KafkaJs, options: ProducerOptions): Promise<Producer> {
  const producer = client.producer({
    createPartitioner: namedOrByKey,
    allowAutoTopicCreation: false,
    metadataMaxAge: METADATA_MAX_AGE_MS,
  });
  await producer.connect();
  return {
    async send(topic, messages) {
      const positions = new Map<number, number>();
      for (const batch of splitBySize(messages)) {
        const name = options.topicName(topic);
        const written = await warnWhenSlow(sendToAll(producer, name, batch), name, options);
        for (const { partition, offset } of written) positions.set(partition, offset);
      }
      return [...positions].map(([partition, offset]): Position => ({ partition, offset }));
    },
    disconnect: () => producer.disconnect(),
  };
}

/**
 * The library leaves messages out, without a word, whose partition it does not know yet, as after a topic has grown. They are sent again until it
 * does.
 * @throws FedloopError `KafkaUnavailable` when a partition does not turn up.
 */
export async function sendToAll(
  producer: Pick<LibraryProducer, 'send'>,
  topic: string,
  messages: readonly OutgoingMessage[],
): Promise<readonly Position[]> {
  const positions: Position[] = [];
  const deadline = performance.now() + NEW_PARTITION_WAIT_MS;
  for (let left = messages; left.length > 0;) {
    const written = await producer.send({
      topic,
      messages: left.map(toKafka),
      acks: ACKS_FROM_ALL,
      compression: CompressionTypes.None,
    });
    for (const { partition, baseOffset } of written)
      positions.push({ partition, offset: Number(baseOffset ?? 0) });
    const reached = new Set(written.map(({ partition }) => partition));
    left = left.filter(({ partition }) => partition !== undefined && !reached.has(partition));
    if (left.length === 0) break;
    if (performance.now() > deadline) {
      const message = `${topic} has no partition ${left[0]?.partition ?? ''}`;
      throw new FedloopError('KafkaUnavailable', message, {
        hint: 'Start the process again: it gives the topic as many partitions as the topic of events has.',
      });
    }
    await sleep(NEW_PARTITION_POLL_MS);
  }
  return positions;
}

/** The library's own looks at every partition's leader before it takes the one that a message names. */
const namedOrByKey: typeof Partitioners.DefaultPartitioner = () => {
  const byKey = Partitioners.DefaultPartitioner();
  return (args) => args.message.partition ?? byKey(args);
};

/** Pass on the broker's answer. The log warns when it takes long, and again when it has come after all. */
async function warnWhenSlow<T>(
  answer: Promise<T>,
  topic: string,
  { missing, log }: ProducerOptions,
): Promise<T> {
  const since = performance.now();
  const waited = (): number => performance.now() - since;
  const seconds = (): number => Math.round(waited() / 1_000);
  const timer = setTimeout(() => {
    log.warn({ topic, seconds: seconds() }, 'the broker takes no messages for now: they wait');
    void missing.waitsFor(topic);
  }, WARN_AFTER_MS);
  try {
    const answered = await answer;
    if (waited() > WARN_AFTER_MS) log.info({ topic, seconds: seconds() }, 'the broker takes messages again');
    return answered;
  } catch (cause) {
    if (missing.has(topic)) throw missingTopic(topic, cause);
    throw orTooLarge(orNotAllowed(cause, `write to ${topic}`), topic);
  } finally {
    clearTimeout(timer);
    missing.delete(topic);
  }
}

/**
 * Split a list of messages so that no part exceeds the broker's limit in any partition. Messages that name no partition may all go to
 * the same one.
 */
export function splitBySize(messages: readonly OutgoingMessage[]): readonly (readonly OutgoingMessage[])[] {
  const batches: OutgoingMessage[][] = [];
  let current: OutgoingMessage[] = [];
  let named = new Map<number, number>();
  let unnamed = 0;
  for (const message of messages) {
    const { partition } = message;
    const size = sizeOf(message);
    const before = partition === undefined ? Math.max(0, ...named.values()) : (named.get(partition) ?? 0);
    if (current.length === 0 || before + unnamed + size > MAX_BATCH_BYTES) {
      current = [];
      batches.push(current);
      named = new Map();
      unnamed = 0;
    }
    current.push(message);
    if (partition === undefined) unnamed += size;
    else named.set(partition, (named.get(partition) ?? 0) + size);
  }
  return batches;
}

function sizeOf({ key, value, headers }: OutgoingMessage): number {
  const size = RECORD_OVERHEAD_BYTES + Buffer.byteLength(key ?? '') + Buffer.byteLength(value ?? '');
  if (headers === undefined) return size;
  return Object.entries(headers)
    .flat()
    .reduce((sum, part) => sum + Buffer.byteLength(part), size);
}

function toKafka(message: OutgoingMessage): Message {
  return {
    key: message.key,
    value: message.value,
    ...(message.partition === undefined ? {} : { partition: message.partition }),
    ...(message.timestampMillis === undefined ? {} : { timestamp: String(message.timestampMillis) }),
    ...(message.headers === undefined ? {} : { headers: { ...message.headers } }),
  };
}
