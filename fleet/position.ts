import { randomUUID } from 'node:crypto';
import { FedloopError } from '../core/contracts/errors';
import { type GroupConsumer, type Kafka, type RawRecord } from '../core/platform/kafka';
import { LAST_RECORDS_TIMEOUT_MILLIS, READ_BACK_RECORDS } from './constants';
import { type LastRecord } from './playback';

/**
 * The last record of each partition that comes from one of the fleet's devices: the fleet's position, read from the topic
 * itself. Other senders' records (broken ones, tests) are passed over, as long as they are not too many.
 *
 * @throws FedloopError `InvalidData` for a topic that others have filled, `KafkaUnavailable` when reading takes too long.
 */
export async function lastRecords(
  kafka: Kafka,
  topic: string,
  devices: ReadonlySet<string>,
): Promise<readonly LastRecord[]> {
  const filled = (await kafka.offsets(topic)).filter(({ low, high }) => high > low);
  const from = new Map(
    filled.map(({ partition, low, high }) => [partition, Math.max(low, high - READ_BACK_RECORDS)]),
  );
  const ends = new Map(filled.map(({ partition, high }) => [partition, high]));
  if (filled.length === 0) return [];
  const last = new Map<number, RawRecord>();
  await readFrom(kafka, topic, from, ends, (partition, record) => {
    if (record.key !== null && devices.has(record.key.toString('utf8'))) last.set(partition, record);
  });
  for (const { partition, low } of filled) {
    if (!last.has(partition) && (from.get(partition) ?? low) > low) {
      throw new FedloopError(
        'InvalidData',
        `the last ${READ_BACK_RECORDS} events of ${topic}, partition ${partition}, come from other devices than this fleet's`,
        {
          hint: 'Start the fleet with the settings it had, or give it a topic of its own with FEDLOOP_TOPIC_PREFIX.',
        },
      );
    }
  }
  return [...last].map(([partition, record]) => ({
    partition,
    timestampMillis: Number(record.timestamp),
    value: record.value ?? Buffer.alloc(0),
  }));
}

/** Read each partition from an offset to the end that it had, as the only member of a group that leaves nothing behind. */
async function readFrom(
  kafka: Kafka,
  topic: string,
  from: ReadonlyMap<number, number>,
  ends: ReadonlyMap<number, number>,
  onRecord: (partition: number, record: RawRecord) => void,
): Promise<void> {
  const missing = new Map(ends);
  let consumer: GroupConsumer | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => {
        reject(
          new FedloopError(
            'KafkaUnavailable',
            `the end of ${topic} could not be read within ${LAST_RECORDS_TIMEOUT_MILLIS / 1_000} s`,
          ),
        );
      }, LAST_RECORDS_TIMEOUT_MILLIS);
      const joining = kafka.consume({
        groupId: `fleet-position-${randomUUID()}`,
        topics: [topic],
        onFailure: reject,
        onAssigned: (_, joined) => {
          consumer = joined;
          for (const [partition, offset] of from) joined.seek(topic, partition, offset);
        },
        onBatch: ({ partition, records, next, resolve: dealtWith }) => {
          const end = missing.get(partition) ?? 0;
          for (const record of records) {
            // A batch fetched before the seek begins earlier: records before the offset sought are passed over.
            const offset = Number(record.offset);
            if (offset < (from.get(partition) ?? 0)) continue;
            if (offset < end) onRecord(partition, record);
          }
          if (next >= end) missing.delete(partition);
          dealtWith(next);
          if (missing.size === 0) resolve();
          return Promise.resolve();
        },
      });
      joining.catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await consumer?.stop();
  }
}
