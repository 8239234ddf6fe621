import { RecordBatch, type OutgoingRecord } from '../record-batch';

/**
 * The body of a Produce request (versions 3 to 7) written straight into one buffer of the right size.
 * Format: "Produce Request (Version: 7)" in Kafka's protocol documentation.
 */
export interface ProduceRequest {
  /** −1: all in-sync replicas. */
  readonly acks: number;
  /** Milliseconds that the broker may take. */
  readonly timeout: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly messages: readonly OutgoingRecord[];
    }[];
  }[];
}

/** Transaction id, acks, timeout and number of topics. */
const HEAD_BYTES = 2 + 2 + 4 + 4;
/** Length of its name, and number of partitions. */
const TOPIC_BYTES = 2 + 4;
/** Partition and size of its records. */
const PARTITION_BYTES = 4 + 4;

/** @param now milliseconds since 1970, for messages without a timestamp. */
export function encodeProduceRequest({ acks, timeout, topicData }: ProduceRequest, now: number): Buffer {
  const topics = topicData.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition, messages }) => {
      return { partition, batch: new RecordBatch(messages, now) };
    }),
  }));
  return frameBatches(acks, timeout, topics);
}

/** A request around batches that are measured, or encoded already. */
export function frameBatches(
  acks: number,
  timeout: number,
  topics: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly batch: Pick<RecordBatch, 'bytes' | 'writeTo'>;
    }[];
  }[],
): Buffer {
  let size = HEAD_BYTES;
  for (const { topic, partitions } of topics) {
    size += TOPIC_BYTES + Buffer.byteLength(topic);
    for (const { batch } of partitions) size += PARTITION_BYTES + batch.bytes;
  }
  const out = Buffer.allocUnsafeSlow(size);
  // No transaction.
  let at = out.writeInt16BE(-1);
  at = out.writeInt16BE(acks, at);
  at = out.writeInt32BE(timeout, at);
  at = out.writeInt32BE(topics.length, at);
  for (const { topic, partitions } of topics) {
    at = out.writeInt16BE(Buffer.byteLength(topic), at);
    at += out.write(topic, at);
    at = out.writeInt32BE(partitions.length, at);
    for (const { partition, batch } of partitions) {
      at = out.writeInt32BE(partition, at);
      at = out.writeInt32BE(batch.bytes, at);
      batch.writeTo(out, at);
      at += batch.bytes;
    }
  }
  return out;
}
