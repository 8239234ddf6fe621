import { type Environment } from '../core/contracts/config';
import { FedloopError } from '../core/contracts/errors';
import { needsIngest, type Source } from '../core/contracts/source';
import { foreignTopic, TOPICS } from '../core/contracts/topics';
import { type Kafka } from '../core/platform/kafka';

/**
 * Topics that are missing are made; on a managed cluster they may have been made by hand before.
 * @param source where the fleet's messages come from: results of a canonical topic have as many partitions as that topic.
 * @throws FedloopError `InvalidConfig` when the source's topic does not exist.
 */
export async function ensureTopics(kafka: Kafka, env: Environment, source?: Source): Promise<void> {
  const perSource = (source && (await sourcePartitions(kafka, env, source))) ?? env.FEDLOOP_PARTITIONS;
  await kafka.createTopics(
    Object.values(TOPICS).map(({ name, partitions, cleanup }) => ({
      name,
      cleanup,
      partitions: partitions === 'perSource' ? perSource : partitions,
    })),
  );
}

async function sourcePartitions(
  kafka: Kafka,
  { KAFKA_BROKERS: brokers }: Environment,
  source: Source,
): Promise<number | undefined> {
  const { topic } = source;
  if (topic === undefined) return undefined;
  const partitions = await kafka.partitions(foreignTopic(topic));
  if (partitions === undefined)
    throw new FedloopError(
      'InvalidConfig',
      `there is no topic ${topic} at ${(brokers ?? []).join(', ')}, which the deployment file names as its source`,
      { hint: 'Check `source.topic`, and that KAFKA_BROKERS names the brokers that have it.' },
    );
  return needsIngest(source) ? undefined : partitions;
}
