import { TOPICS } from '../../../core/contracts/topics';
import { type IncomingRecord, type Kafka, type PartitionOffsets } from '../../../core/platform/kafka';
import { LogOrigins, type Origin } from '../../../core/warehouse/sink/origins';
import { T0, WINDOW } from './helpers';

const FUTURE = 30_000_000;
const EVENTS = 'events';

/** Two logs of two partitions: the offsets of claims, and the times of event records in milliseconds. */
interface Logs {
  readonly claims: number[][];
  readonly events: number[][];
  /** Events that are gone from the beginning. */
  readonly gone?: number;
  readonly requests: string[];
}

function kafkaOf({ claims, events, gone = 0, requests }: Logs): Kafka {
  const refuse = (): never => {
    throw new Error('not part of this test');
  };
  let deliver: () => void | Promise<void> = refuse;
  return {
    identity: refuse,
    createTopics: refuse,
    partitions: refuse,
    trouble: refuse,
    failed: new Promise<never>(() => undefined),
    growTopics: refuse,
    logId: refuse,
    committed: refuse,
    livingGroups: refuse,
    startGroup: refuse,
    producer: refuse,
    consume: refuse,
    disconnect: refuse,
    offsets: () =>
      Promise.resolve(
        events.map((log, partition): PartitionOffsets => ({ partition, low: gone, high: gone + log.length })),
      ),
    offsetsAt: (topic, millis) => {
      requests.push(`${topic} at ${millis}`);
      return Promise.resolve(
        events.map((log, partition) => {
          const at = log.findIndex((time) => time >= millis);
          return { partition, offset: gone + (at < 0 ? log.length : at) };
        }),
      );
    },
    tail: ({ topic, onRecords }) => {
      expect(topic).toBe(TOPICS.checkpoints.name);
      deliver = () => {
        claims.forEach((offsets, partition) => {
          const records = offsets.map((offset): IncomingRecord => ({
            partition,
            offset,
            timestampMillis: 0,
            key: Buffer.from('claim/0/w/1'),
            value: Buffer.from('{}'),
            headers: {},
          }));
          void onRecords(records);
        });
      };
      const caughtUp = Promise.resolve();
      return Promise.resolve({
        caughtUp,
        sync: () => Promise.resolve(deliver()),
        reached: () => caughtUp,
        close: () => caughtUp,
      });
    },
  };
}

const windowAt = (number: number): number => T0 + number * WINDOW;
const millisOf = (number: number): number => windowAt(number) / 1_000;

function origin(changes: Partial<Origin>): Origin {
  return {
    partition: 0,
    epoch: 3,
    windowStart: windowAt(0),
    eventOffset: null,
    recordMillis: Date.UTC(2026),
    ...changes,
  };
}

async function faults(logs: Logs, origins: readonly Origin[]): Promise<readonly (string | undefined)[]> {
  const log = await LogOrigins.follow(kafkaOf(logs), EVENTS, FUTURE);
  await log.prepare(origins);
  return origins.map((each) => log.faultOf(each)?.reason);
}

const logs = (changes: Partial<Logs> = {}): Logs => ({
  claims: [[3, 8], [0]],
  events: [[millisOf(0), millisOf(10)], []],
  requests: [],
  ...changes,
});

describe('the origin of a result', () => {
  it('is a claim of its own partition, whichever offset is written into it', async () => {
    const epochs = [3, 8, 0, 4, Number.MAX_SAFE_INTEGER];
    expect(
      await faults(
        logs(),
        epochs.map((epoch) => origin({ epoch })),
      ),
    ).toEqual([undefined, undefined, 'unknown-epoch', 'unknown-epoch', 'unknown-epoch']);
  });

  it('is an event of its own partition in its window or behind it', async () => {
    const windows = [10, 9, 11, 12, 500, 1_000_000];
    const result = await faults(
      logs(),
      windows.map((number) => origin({ windowStart: windowAt(number) })),
    );
    // A record may be 30 s, one window, older than its event says.
    expect(result).toEqual([
      undefined,
      undefined,
      undefined,
      'unseen-window',
      'unseen-window',
      'unseen-window',
    ]);
    expect(await faults(logs(), [origin({ partition: 1, epoch: 0 })])).toEqual(['unseen-window']);
  });

  it('of a reject is an event that the log of its partition has, with an epoch and without', async () => {
    const reject = (changes: Partial<Origin>): Origin => origin({ windowStart: null, ...changes });
    const rejects = [
      reject({ eventOffset: 0 }),
      reject({ eventOffset: 1 }),
      reject({ eventOffset: 2 }),
      reject({ eventOffset: 0, epoch: null }),
      reject({ eventOffset: 2 ** 40, epoch: null }),
      reject({ eventOffset: 0, epoch: 0, partition: 1 }),
      reject({ eventOffset: 0, epoch: null, partition: 7 }),
    ];
    expect(await faults(logs(), rejects)).toEqual([
      undefined,
      undefined,
      'unread-event',
      undefined,
      'unread-event',
      'unread-event',
      'unread-event',
    ]);
  });

  it('is looked up once for windows that follow one another', async () => {
    const asked = logs();
    await faults(
      asked,
      [0, 1, 2, 3].map((number) => origin({ windowStart: windowAt(number) })),
    );
    expect(asked.requests).toHaveLength(1);
  });

  it('is bounded by the time of the block itself where events are gone', async () => {
    const recordMillis = millisOf(100);
    const windows = [100, 1_000].map((number) => origin({ windowStart: windowAt(number), recordMillis }));
    expect(await faults(logs({ gone: 5 }), windows)).toEqual([undefined, 'unseen-window']);
  });
});
