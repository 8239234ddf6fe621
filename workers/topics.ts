import { type Environment } from '../core/contracts/config';
import { needsIngest, type Source } from '../core/contracts/source';
import { foreignTopic, TOPICS } from '../core/contracts/topics';
import { type Kafka } from '../core/platform/kafka';
import { sourcePartitions } from '../core/platform/kafka/source-partitions';

/**
 * Topics that are missing are made; on a managed cluster they may have been made by hand before.
 * @param source where the fleet's messages come from: results of a canonical topic have as many partitions as that topic.
 * @throws FedloopError `InvalidConfig` when the source's topic does not exist.
 */
export async function ensureTopics(kafka: Kafka, env: Environment, source?: Source): Promise<void> {
  const named =
    source?.topic === undefined ? undefined : await sourcePartitions(kafka, foreignTopic(source.topic));
  const perSource =
    source === undefined || needsIngest(source) ? env.FEDLOOP_PARTITIONS : (named ?? env.FEDLOOP_PARTITIONS);
  await kafka.createTopics(
    Object.values(TOPICS).map(({ partitions, ...topic }) => ({
      ...topic,
      partitions: partitions === 'perSource' ? perSource : partitions,
    })),
  );
}
