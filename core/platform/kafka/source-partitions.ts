import { FedloopError } from '../../contracts/errors';
import { PER_SOURCE_TOPICS, plainTopic } from '../../contracts/topics';
import { type Kafka } from './types';

/**
 * How many partitions a topic has that messages are read from. One that is not the deployment's own is never made.
 * @throws FedloopError `InvalidConfig` when there is no such topic.
 */
export async function sourcePartitions(kafka: Kafka, topic: string): Promise<number> {
  const partitions = await kafka.partitions(topic);
  if (partitions !== undefined) return partitions;
  const name = plainTopic(topic);
  throw new FedloopError('InvalidConfig', `there is no topic ${name} to read from`, {
    hint: 'Make the topic, correct its name, or let KAFKA_BROKERS name the brokers that have it.',
  });
}

/**
 * Give the topics of results at least as many partitions as the topic of events has: what comes of a partition's events goes to the partition
 * of the same number.
 * @returns the number of partitions that the topic of events has.
 * @throws FedloopError `InvalidConfig` when there is no such topic.
 */
export async function matchSourcePartitions(kafka: Kafka, eventTopic: string): Promise<number> {
  const partitions = await sourcePartitions(kafka, eventTopic);
  await kafka.growTopics(PER_SOURCE_TOPICS, partitions);
  return partitions;
}
