import { topicOffsets } from '../../../core/platform/kafka/topic-offsets';

const OFFSETS = [{ partition: 0, offset: '7', high: '7', low: '0' }];

function refusal(type: string): Error {
  return Object.assign(new Error(`the broker says ${type}`), { type });
}

function brokenDown(): TypeError {
  return new TypeError("Cannot destructure property 'partitions' of 'low.pop(...)'");
}

/** Answers with each refusal once, then with offsets. */
function admin(...refusals: readonly string[]): {
  fetchTopicOffsets(): Promise<typeof OFFSETS>;
  listTopics(): Promise<string[]>;
  readonly asked: () => number;
} {
  let asked = 0;
  return {
    asked: () => asked,
    listTopics: () => Promise.resolve(['a topic']),
    fetchTopicOffsets() {
      const type = refusals[asked];
      asked += 1;
      return type === undefined ? Promise.resolve(OFFSETS) : Promise.reject(refusal(type));
    },
  };
}

describe('reading the offsets of a topic', () => {
  it('waits for a broker that has just come back and does not lead its partitions yet', async () => {
    const broker = admin('NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE');
    await expect(topicOffsets(broker, 'a topic')).resolves.toEqual([{ partition: 0, low: 0, high: 7 }]);
    expect(broker.asked()).toBe(3);
  });

  it('asks again when the library breaks down over an answer that it did not get', async () => {
    let asked = 0;
    const fetchTopicOffsets = (): Promise<typeof OFFSETS> => {
      asked += 1;
      return asked === 1 ? Promise.reject(brokenDown()) : Promise.resolve(OFFSETS);
    };
    await expect(topicOffsets({ ...admin(), fetchTopicOffsets }, 'a topic')).resolves.toHaveLength(1);
  });

  it.each([refusal('UNKNOWN_TOPIC_OR_PARTITION'), brokenDown()])(
    'names a topic that is gone at once: %s',
    async (cause) => {
      const fetchTopicOffsets = (): Promise<never> => Promise.reject(cause);
      await expect(topicOffsets({ ...admin(), fetchTopicOffsets }, 'a deleted topic')).rejects.toMatchObject({
        code: 'KafkaUnavailable',
        message: 'the Kafka brokers do not have the topic a deleted topic',
      });
    },
  );

  it('does not wait for anything else', async () => {
    const broker = admin('TOPIC_AUTHORIZATION_FAILED');
    await expect(topicOffsets(broker, 'a topic')).rejects.toThrow('TOPIC_AUTHORIZATION_FAILED');
    expect(broker.asked()).toBe(1);
  });
});
