import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { applyPatch } from '../../../core/platform/kafka/kafkajs-patches/patch-module';
import { steadyHeartbeats, steadyMetadata } from '../../../core/platform/kafka/kafkajs-patches/steady-clock';

const HOUR_MILLIS = 3_600_000;
const library = createRequire(__filename);

interface Member {
  memberId: string;
  coordinator: { heartbeat: () => Promise<void> };
  heartbeat(wanted: { interval: number }): Promise<void>;
}
interface Pool {
  metadata: object;
  refreshMetadata(topics: readonly string[]): Promise<void>;
  refreshMetadataIfNecessary(topics: readonly string[]): Promise<void>;
}
type Made<Instance> = new (options: object) => Instance;

beforeAll(() => {
  expect([applyPatch(steadyHeartbeats), applyPatch(steadyMetadata)]).toEqual([undefined, undefined]);
});
beforeEach(() => {
  jest.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  jest.useRealTimers();
});

/** The wall clock is set; time goes on as before. */
const setClock = (millis: number): void => {
  jest.setSystemTime(Date.now() + millis);
};

describe('a member of a group, whose clock is set', () => {
  const Group = library('kafkajs/src/consumer/consumerGroup') as Made<Member>;

  it.each([
    ['back', -HOUR_MILLIS],
    ['forward', HOUR_MILLIS],
  ])('%s heartbeats at its interval as before', async (_, jump) => {
    let beats = 0;
    const logger = { namespace: () => ({}) };
    const member = new Group({
      ...{ topics: [], topicConfigurations: {}, groupId: 'g', isolationLevel: 1, rackId: '', assigners: [] },
      ...{ logger, instrumentationEmitter: new EventEmitter(), cluster: {}, retry: {} },
    });
    member.memberId = 'm';
    member.coordinator = {
      heartbeat: () => {
        beats += 1;
        return Promise.resolve();
      },
    };
    const beat = (): Promise<void> => member.heartbeat({ interval: 250 });
    await beat();
    setClock(jump);
    await beat();
    expect(beats).toBe(1);
    jest.advanceTimersByTime(250);
    await beat();
    expect(beats).toBe(2);
  });
});

describe('what a client knows of topics', () => {
  const BrokerPool = library('kafkajs/src/cluster/brokerPool') as Made<Pool>;

  it('ages as before when the clock is set back', async () => {
    const looks: string[] = [];
    const metadata = { brokers: [], topicMetadata: [{ topic: 't' }] };
    const broker = {
      isConnected: () => true,
      metadata: (topics: readonly string[]) => {
        looks.push(...topics);
        return Promise.resolve(metadata);
      },
    };
    const logger = { namespace: () => ({}) };
    const pool = new BrokerPool({ connectionPoolBuilder: {}, logger, metadataMaxAge: 3_000 });
    Object.assign(pool, {
      findConnectedBroker: () => Promise.resolve(broker),
      seedBroker: { connectionPool: { host: 'h', port: 1 } },
    });
    jest.useRealTimers();
    const now = jest.spyOn(performance, 'now').mockReturnValue(0);
    const wall = jest.spyOn(Date, 'now').mockReturnValue(HOUR_MILLIS);
    await pool.refreshMetadataIfNecessary(['t']);
    wall.mockReturnValue(0);
    now.mockReturnValue(2_999);
    await pool.refreshMetadataIfNecessary(['t']);
    expect(looks).toEqual(['t']);
    now.mockReturnValue(3_001);
    await pool.refreshMetadataIfNecessary(['t']);
    expect(looks).toEqual(['t', 't']);
    now.mockRestore();
    wall.mockRestore();
  });
});
