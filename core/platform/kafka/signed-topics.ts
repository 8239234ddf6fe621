import { TOPICS } from '../../contracts/topics';
import { type DeploymentKeys } from '../deployment-keys';
import { toIncoming } from './records';
import { type IncomingRecord, type Kafka, type OutgoingMessage, type RawRecord } from './types';

const SIGNED_TOPIC = TOPICS.deployments.name;
export const SIGNATURE_HEADER = 'fedloop-signature';

/**
 * The same Kafka, whose messages of `model-deployments` are signed when they are sent, and judged when they are read. Signatures stand in a
 * header, so that what is signed are the message's own bytes, before anybody has understood them.
 */
export function withSignatures(kafka: Kafka, keys: DeploymentKeys): Kafka {
  return {
    ...kafka,
    async producer(retryPolicy) {
      const producer = await kafka.producer(retryPolicy);
      return {
        ...producer,
        send: async (topic, messages) =>
          producer.send(
            topic,
            topic === SIGNED_TOPIC ? messages.map((message) => signed(message, keys)) : messages,
          ),
      };
    },
    tail(options) {
      if (options.topic !== SIGNED_TOPIC) return kafka.tail(options);
      return kafka.tail({
        ...options,
        onRecords: (records) =>
          options.onRecords(records.map((record) => ({ ...record, ...verdictOn(record, keys) }))),
      });
    },
    consume(options) {
      if (!options.topics.includes(SIGNED_TOPIC)) return kafka.consume(options);
      return kafka.consume({
        ...options,
        onBatch: (batch) => {
          if (batch.topic !== SIGNED_TOPIC) return options.onBatch(batch);
          const records = batch.records.map((raw) => judged(raw, batch.partition, keys));
          return options.onBatch({ ...batch, records });
        },
      });
    },
  };
}

function signed(message: OutgoingMessage, keys: DeploymentKeys): OutgoingMessage {
  const { key, value } = message;
  if (value === null) return message;
  const signature = keys.sign({ key, value });
  return signature === undefined
    ? message
    : { ...message, headers: { ...message.headers, [SIGNATURE_HEADER]: signature } };
}

/** A record as it was fetched has its fields from its class, which a mere copy would leave behind: each is named. */
function judged(raw: RawRecord, partition: number, keys: DeploymentKeys): RawRecord {
  const { offset, timestamp, key, value, headers, undecodable } = raw;
  const verdict = verdictOn(toIncoming(partition, raw), keys);
  return { offset, timestamp, key, value, ...(headers && { headers }), undecodable, ...verdict };
}

function verdictOn(
  { key, value, headers }: IncomingRecord,
  keys: DeploymentKeys,
): Pick<IncomingRecord, 'signature'> {
  if (value === null) return {};
  const signature = keys.judge({ key: key?.toString('utf8') ?? null, value }, headers[SIGNATURE_HEADER]);
  return signature === undefined ? {} : { signature };
}
