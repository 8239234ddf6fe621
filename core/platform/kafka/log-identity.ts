import { type Admin } from 'kafkajs';
import { topicIdOf } from './kafkajs-patches';
import { isMissing } from './topic-offsets';

/** A client's cluster never changes: its id is asked for once. */
const clusters = new WeakMap<object, string>();

/** @returns the log's id, as `contracts/log-ids.ts` has it; empty where there is no such topic, or the broker tells no ids. */
export async function logIdOf(admin: Admin, topic: string): Promise<string> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const topicId = topics[0] && topicIdOf(topics[0].partitions);
    return topicId === undefined ? '' : `${await clusterOf(admin)}/${topicId}`;
  } catch (cause) {
    if (isMissing(cause)) return '';
    throw cause;
  }
}

async function clusterOf(admin: Admin): Promise<string> {
  const known = clusters.get(admin) ?? (await admin.describeCluster()).clusterId;
  clusters.set(admin, known);
  return known;
}
