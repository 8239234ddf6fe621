import { type Admin } from 'kafkajs';
import { MissingTopics } from '../../../core/platform/kafka/missing-topics';
import { silentLogger } from '../../../core/platform/log';

/** A cluster of these topics, and what is said of those that it should have. */
function watched(topics: readonly string[]) {
  const cluster = new Set(topics);
  const listTopics = () => Promise.resolve([...cluster]);
  const made: { topic: string }[] = [];
  const createTopics = ({ topics: asked }: { topics: { topic: string }[] }) => {
    made.push(...asked);
    for (const { topic } of asked) cluster.add(topic);
    return Promise.resolve(true);
  };
  const fetchTopicMetadata = ({ topics: names }: { topics: string[] }) =>
    Promise.resolve({ topics: names.map((name) => ({ name, partitions: [] })) });
  const admin = {
    listTopics,
    createTopics,
    fetchTopicMetadata,
    fetchTopicOffsets: () => Promise.resolve([]),
  };
  const missing = new MissingTopics(admin as unknown as Admin, silentLogger());
  missing.know(
    [...cluster].map((name) => ({ name, partitions: 1, cleanup: 'compact', remade: name === 'results' })),
  );
  return { cluster, missing, made };
}

it('topics that nothing rests on are made again once they are missing twice in turn, though nobody writes to them', async () => {
  const { cluster, missing } = watched(['deployments', 'results']);
  cluster.delete('results');
  await missing.look();
  expect(cluster).not.toContain('results');
  await missing.look();
  expect(cluster).toContain('results');
  missing.close();
});

it('topics that have grown are made again as large as they were', async () => {
  const { cluster, missing, made } = watched(['results']);
  missing.grown(['results', 'unknown'], 6);
  cluster.delete('results');
  await missing.look();
  await missing.look();
  expect(made).toEqual([expect.objectContaining({ topic: 'results', numPartitions: 6 })]);
  missing.close();
});

describe('topics that rows and versions rest on', () => {
  it('are named once they are missing twice in turn, with the advice to bring them back, until they are there again', async () => {
    const { cluster, missing } = watched(['deployments', 'results']);
    cluster.delete('deployments');
    await missing.look();
    expect(missing.trouble).toBeUndefined();
    await missing.look();
    expect(missing.trouble?.message).toBe('the Kafka brokers do not have the topic deployments');
    expect(missing.trouble?.hint).toMatch(/^Bring it back from a copy before workers are started again/);
    cluster.add('deployments');
    await missing.look();
    expect(missing.trouble).toBeUndefined();
    missing.close();
  });

  it('are not named where only one is missing that is made again', async () => {
    const { cluster, missing } = watched(['deployments', 'results']);
    cluster.delete('results');
    await missing.look();
    await missing.look();
    expect(missing.trouble).toBeUndefined();
    missing.close();
  });

  it('are not taken for missing while the brokers do not answer', async () => {
    const listTopics = () => Promise.reject(new Error('no broker answers'));
    const missing = new MissingTopics({ listTopics } as unknown as Admin, silentLogger());
    missing.know([{ name: 'deployments', partitions: 1, cleanup: 'compact', remade: false }]);
    await missing.look();
    await missing.look();
    expect(missing.trouble).toBeUndefined();
    missing.close();
  });
});
