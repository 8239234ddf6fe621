import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka as KafkaJs, KafkaJSConnectionError, logLevel } from 'kafkajs';
import { eventually } from '../support/round-watch';
import { testDeployment, type TestDeployment } from '../support/deployment';

const TOPIC = 'letters';
/** A group waits three seconds for its first members. */
const JOINED_MILLIS = 30_000;

jest.setTimeout(3 * JOINED_MILLIS);

let deployment: TestDeployment;

beforeAll(async () => {
  deployment = await testDeployment();
  await deployment.kafka.createTopics([{ name: TOPIC, partitions: 2, cleanup: 'delete' }]);
});

afterAll(async () => {
  await deployment.kafka.disconnect();
});

describe('a tail of a topic', () => {
  it('hands out everything from the start, then what comes, and knows when it has read all', async () => {
    const { kafka } = deployment;
    const producer = await kafka.producer();
    await producer.send(
      TOPIC,
      ['a', 'b', 'c'].map((value, index) => ({ key: null, value, partition: index % 2 })),
    );
    const seen: string[] = [];
    const tail = await kafka.tail({
      topic: TOPIC,
      from: 'start',
      onRecords: (records) => {
        for (const { value } of records) seen.push(value?.toString() ?? '');
      },
    });
    await tail.caughtUp;
    expect([...seen].sort()).toEqual(['a', 'b', 'c']);

    await producer.send(TOPIC, [{ key: null, value: 'd', partition: 1 }]);
    await tail.sync();
    expect(seen).toContain('d');
    await tail.close();
    await producer.disconnect();
  });

  it('started at the end, hands out only what is appended afterwards', async () => {
    const { kafka } = deployment;
    const producer = await kafka.producer();
    await producer.send(TOPIC, [{ key: null, value: 'before', partition: 0 }]);
    const seen: string[] = [];
    const tail = await kafka.tail({
      topic: TOPIC,
      from: 'end',
      onRecords: (records) => {
        for (const { value } of records) seen.push(value?.toString() ?? '');
      },
    });
    await producer.send(TOPIC, [{ key: null, value: 'after', partition: 0 }]);
    await tail.sync();
    expect(seen).toEqual(['after']);
    await tail.close();
    await producer.disconnect();
  });
});

describe('a tail whose topic is deleted and made anew', () => {
  it('follows the new one from its beginning, though its offsets were read before', async () => {
    const { kafka, env } = deployment;
    const spec = { name: 'diaries', partitions: 1, cleanup: 'delete' } as const;
    await kafka.createTopics([spec]);
    const producer = await kafka.producer();
    const send = (value: string): Promise<unknown> => producer.send(spec.name, [{ key: null, value }]);
    for (const value of ['1', '2', '3']) await send(value);
    const seen: string[] = [];
    const tail = await kafka.tail({
      topic: spec.name,
      from: 'start',
      onRecords: (records) => {
        for (const { value } of records) seen.push(value?.toString() ?? '');
      },
    });
    await tail.caughtUp;
    const admin = new KafkaJs({ brokers: env.KAFKA_BROKERS ?? [], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const topic = `${env.FEDLOOP_TOPIC_PREFIX ?? ''}${spec.name}`;
    await admin.deleteTopics({ topics: [topic] });
    await sleep(1_000);
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] });
    await admin.disconnect();
    await send('anew');
    await eventually('the record of the new topic', 60_000, () =>
      Promise.resolve(seen.includes('anew') ? { found: true } : { seen: seen.join() }),
    );
    expect(seen).toEqual(['1', '2', '3', 'anew']);
    await tail.close();
    await producer.disconnect();
  });
});

describe('a tail that cannot go on', () => {
  it('rejects every wait, those that come later too', async () => {
    const { kafka } = deployment;
    const topic = 'riddles';
    await kafka.createTopics([{ name: topic, partitions: 1, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    let taken = 0;
    const tail = await kafka.tail({
      topic,
      from: 'start',
      onRecords: () => {
        taken += 1;
        throw new Error('nobody can solve this');
      },
    });
    const waiting = tail.reached(0, 5);
    const [position] = await producer.send(topic, [{ key: null, value: '?' }]);
    expect(position).toEqual({ partition: 0, offset: 0 });
    await expect(waiting).rejects.toMatchObject({
      code: 'KafkaUnavailable',
      message: expect.stringContaining('nobody can solve this') as string,
    });
    await expect(tail.sync()).rejects.toThrow('riddles is not followed any further');
    await producer.send(topic, [{ key: null, value: '?' }]);
    await expect(tail.sync()).rejects.toThrow('nobody can solve this');
    // What failed half-way is not handed out again.
    expect(taken).toBe(1);
    await tail.close();
    await producer.disconnect();
  });
});

describe('a group consumer', () => {
  it('goes on where it committed, and reads on from where it is told to seek', async () => {
    const { kafka } = deployment;
    const topic = 'numbers';
    await kafka.createTopics([{ name: topic, partitions: 1, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    await producer.send(
      topic,
      ['0', '1', '2'].map((value) => ({ key: null, value })),
    );

    const readUntil = async (last: string, seekTo?: number): Promise<string[]> => {
      const seen: string[] = [];
      let finish: () => void = () => undefined;
      const done = new Promise<void>((resolve, reject) => {
        finish = resolve;
        void kafka
          .consume({
            groupId: 'readers',
            topics: [topic],
            onAssigned: () => undefined,
            onFailure: reject,
            onBatch: async (batch) => {
              if (!batch.isCurrent()) return;
              for (const record of batch.records) {
                seen.push(record.value?.toString() ?? '');
              }
              batch.resolve(batch.next);
              if (seen.at(-1) === last) finish();
              await Promise.resolve();
            },
          })
          .then(async (consumer) => {
            if (seekTo !== undefined) consumer.seek(topic, 0, seekTo);
            await done;
            await consumer.commit([{ topic, partition: 0, offset: 3 }]);
            await consumer.stop();
            stopped();
          }, reject);
      });
      let stopped: () => void = () => undefined;
      const hasStopped = new Promise<void>((resolve) => {
        stopped = resolve;
      });
      await done;
      await hasStopped;
      return seen;
    };

    expect(await readUntil('2')).toEqual(['0', '1', '2']);
    await producer.send(topic, [{ key: null, value: '3' }]);
    expect(await readUntil('3')).toEqual(['3']);
    expect((await readUntil('3', 1)).slice(-3)).toEqual(['1', '2', '3']);
    await producer.disconnect();
  });

  it('joins its group again also when its broker is away at the first try', async () => {
    const { kafka } = deployment;
    const topic = 'words';
    await kafka.createTopics([{ name: topic, partitions: 1, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    const member = nextMember();
    const seen: string[] = [];
    let joined = 0;
    const consumer = await kafka.consume({
      groupId: 'rejoining',
      topics: [topic],
      onAssigned: () => {
        joined += 1;
      },
      onFailure: (cause) => {
        throw cause;
      },
      onBatch: async (batch) => {
        for (const { value } of batch.records) seen.push(String(value));
        batch.resolve(batch.next);
        await Promise.resolve();
      },
    });
    const group = await member.joined;
    const joins = (times: number): Promise<unknown> =>
      eventually(`joined ${times} times`, JOINED_MILLIS, () =>
        Promise.resolve(joined === times ? { found: true } : { seen: String(joined) }),
      );
    await joins(1);

    // The group forgets it, and the broker is away when it asks to be taken in again.
    group.joinAndSync = () => {
      Reflect.deleteProperty(group, 'joinAndSync');
      return Promise.reject(new KafkaJSConnectionError('the broker is away'));
    };
    await group.coordinator.leaveGroup({ groupId: group.groupId, memberId: group.memberId });

    await joins(2);
    await producer.send(topic, [{ key: null, value: 'after' }]);
    await eventually('what came after', JOINED_MILLIS, () =>
      Promise.resolve(seen.includes('after') ? { found: true } : { seen: seen.join() }),
    );
    await consumer.stop();
    await producer.disconnect();
  });
});

/** The library's own object of a member, which nothing hands out. */
interface LibraryMember {
  readonly groupId: string;
  readonly memberId: string;
  readonly coordinator: { leaveGroup(member: { groupId: string; memberId: string }): Promise<unknown> };
  joinAndSync: () => Promise<void>;
}

/** The next member that joins a group in this process. */
function nextMember(): { readonly joined: Promise<LibraryMember> } {
  const { prototype } = createRequire(__filename)('kafkajs/src/consumer/consumerGroup') as {
    prototype: LibraryMember;
  };
  const { joinAndSync } = prototype;
  return {
    joined: new Promise((resolve) => {
      prototype.joinAndSync = async function joinOnce(this: LibraryMember) {
        prototype.joinAndSync = joinAndSync;
        await joinAndSync.call(this);
        resolve(this);
      };
    }),
  };
}
