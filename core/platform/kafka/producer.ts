import { CompressionTypes, Partitioners, type Kafka as KafkaJs, type Message } from 'kafkajs';
import { type Logger } from '../log';
import { type OutgoingMessage, type Position, type Producer } from './types';

/** A default broker refuses a record batch over 1 MB; the client makes one batch a partition and call. */
const MAX_BATCH_BYTES = 900_000;
/** Offsets, lengths and key framing of one record, rounded up. */
const RECORD_OVERHEAD_BYTES = 64;
const ACKS_FROM_ALL = -1;
/** A broker that takes messages does so within milliseconds; a far longer wait should show in the log. */
const WARN_AFTER_MS = 10_000;

export async function createProducer(
  client: KafkaJs,
  topicName: (name: string) => string,
  log: Logger,
): Promise<Producer> {
  const producer = client.producer({
    createPartitioner: namedOrByKey,
    allowAutoTopicCreation: false,
  });
  await producer.connect();
  return {
    async send(topic, messages) {
      const positions = new Map<number, number>();
      for (const batch of splitBySize(messages)) {
        const sending = producer.send({
          topic: topicName(topic),
          messages: batch.map(toKafka),
          acks: ACKS_FROM_ALL,
          compression: CompressionTypes.None,
        });
        const written = await warnWhenSlow(sending, topicName(topic), log);
        for (const { partition, baseOffset } of written) positions.set(partition, Number(baseOffset ?? 0));
      }
      return [...positions].map(([partition, offset]): Position => ({ partition, offset }));
    },
    disconnect: () => producer.disconnect(),
  };
}

/** The library's own looks at every partition's leader before it takes the one that a message names. */
const namedOrByKey: typeof Partitioners.DefaultPartitioner = () => {
  const byKey = Partitioners.DefaultPartitioner();
  return (args) => args.message.partition ?? byKey(args);
};

/** Pass on the broker's answer. The log warns when it takes long, and again when it has come after all. */
async function warnWhenSlow<T>(answer: Promise<T>, topic: string, log: Logger): Promise<T> {
  const since = performance.now();
  const waited = (): number => performance.now() - since;
  const seconds = (): number => Math.round(waited() / 1_000);
  const timer = setTimeout(() => {
    log.warn({ topic, seconds: seconds() }, 'the broker takes no messages for now: they wait');
  }, WARN_AFTER_MS);
  try {
    const answered = await answer;
    if (waited() > WARN_AFTER_MS) log.info({ topic, seconds: seconds() }, 'the broker takes messages again');
    return answered;
  } finally {
    clearTimeout(timer);
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
