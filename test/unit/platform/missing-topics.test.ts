import { type Admin } from 'kafkajs';
import { MissingTopics } from '../../../core/platform/kafka/missing-topics';
import { silentLogger } from '../../../core/platform/log';

/** A cluster of these topics, and what is said of those that it should have. */
function watched(topics: readonly string[]) {
  const cluster = new Set(topics);
  const listTopics = () => Promise.resolve([...cluster]);
  const missing = new MissingTopics({ listTopics } as unknown as Admin, silentLogger());
  missing.know(
    [...cluster].map((name) => ({ name, partitions: 1, cleanup: 'compact', remade: name === 'results' })),
  );
  return { cluster, missing };
}

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

  it('are not named where only one is missing that who writes to it makes again', async () => {
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
