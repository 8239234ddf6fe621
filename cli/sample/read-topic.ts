import { foreignTopic } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import {
  connectKafka,
  type IncomingRecord,
  type Kafka,
  type PartitionOffsets,
} from '../../core/platform/kafka';
import { sourcePartitions } from '../../core/platform/kafka/source-partitions';
import { silentLogger } from '../../core/platform/log';
import { dataPlaneEnvironment } from '../system/deployment';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';
import { type Sample, type SampledMessage } from './types';

/**
 * Read the first messages of a topic, as many of each partition, in the order of their records' timestamps.
 * @throws FedloopError `InvalidConfig` for a topic that the broker does not have; `KafkaUnavailable`.
 */
export async function readTopic(session: Session, topic: string, most: number): Promise<Sample> {
  const env = readEnvironment(await dataPlaneEnvironment(session));
  const kafka = await connectKafka(env, 'fedloop-sample', silentLogger());
  try {
    const name = foreignTopic(topic);
    await sourcePartitions(kafka, name);
    const ends = await kafka.offsets(name);
    const { records, isCut } = await unlessAborted(firstRecords(kafka, name, ends, most), session.signal);
    const messages = records
      .sort((a, b) => a.timestampMillis - b.timestampMillis)
      .map(({ value, partition, timestampMillis }): SampledMessage => {
        return { bytes: value ?? new Uint8Array(0), partition, recordMillis: timestampMillis };
      });
    return { name: `topic ${topic}`, messages, keepsOrder: true, isCut };
  } finally {
    await kafka.disconnect();
  }
}

interface FirstRecords {
  readonly records: IncomingRecord[];
  /** Whether a partition has more than its share. */
  readonly isCut: boolean;
}

/** Records from the start of each partition on, until there are enough of each or all were read. */
async function firstRecords(
  kafka: Kafka,
  topic: string,
  ends: readonly PartitionOffsets[],
  most: number,
): Promise<FirstRecords> {
  const share = Math.ceil(most / Math.max(1, ends.length));
  const wanted = new Map(ends.map(({ partition, low, high }) => [partition, Math.min(share, high - low)]));
  const records: IncomingRecord[] = [];
  let enough: () => void = () => undefined;
  const isEnough = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const tail = await kafka.tail({
    topic,
    from: 'start',
    onRecords: (some) => {
      for (const record of some) {
        const left = wanted.get(record.partition) ?? 0;
        if (left <= 0) break;
        wanted.set(record.partition, left - 1);
        records.push(record);
      }
      if ([...wanted.values()].every((left) => left <= 0)) enough();
    },
  });
  try {
    // Offsets without records, such as those of transactions, would be waited for in vain: the end of the log ends the wait as well.
    await Promise.race([isEnough, tail.caughtUp]);
  } finally {
    await tail.close();
  }
  // A partition that was read to its end has offsets without records where less than its share was found.
  const isCut = ends.some(({ partition, low, high }) => high - low > share && wanted.get(partition) === 0);
  return { records, isCut };
}
