import { type Admin, type Kafka as KafkaJs } from 'kafkajs';
import { silentLogger } from '../../../core/platform/log';
import { tailTopic } from '../../../core/platform/kafka/tail';
import { type TailOptions } from '../../../core/platform/kafka/types';

type Listener = (event: { payload: object }) => void;
type EachBatch = (payload: object) => Promise<void>;

/** A client whose consumer can be made to crash, which a real one does only where its inside fails. */
class CrashingClient {
  private readonly listeners = new Map<string, Listener>();
  private eachBatch: EachBatch = () => Promise.resolve();
  /** Offsets that the consumer was told to go on from. */
  readonly sought: string[] = [];

  constructor(private readonly joins: boolean) {}

  readonly admin = {
    fetchTopicOffsets: () => Promise.resolve([{ partition: 0, low: '0', high: '3', offset: '3' }]),
    deleteGroups: () => Promise.resolve([]),
  } as unknown as Admin;

  readonly client = {
    consumer: () => ({
      events: { GROUP_JOIN: 'join', CRASH: 'crash' },
      on: (event: string, listener: Listener) => this.listeners.set(event, listener),
      connect: () => Promise.resolve(),
      subscribe: () => Promise.resolve(),
      seek: ({ offset }: { offset: string }) => this.sought.push(offset),
      run: ({ eachBatch }: { eachBatch: EachBatch }) => {
        this.eachBatch = eachBatch;
        if (this.joins) this.join();
        return Promise.resolve();
      },
      disconnect: () => Promise.resolve(),
    }),
  } as unknown as KafkaJs;

  join(): void {
    this.listeners.get('join')?.({ payload: {} });
  }

  /** Hand the tail a batch of partition 0 whose last record is at this offset. */
  async deliver(lastOffset: number): Promise<void> {
    const batch = {
      partition: 0,
      messages: [],
      highWatermark: String(lastOffset + 1),
      firstOffset: () => String(lastOffset),
      lastOffset: () => String(lastOffset),
    };
    await this.eachBatch({ batch, heartbeat: () => Promise.resolve() });
  }

  crash(restart: boolean): void {
    this.listeners.get('crash')?.({ payload: { error: new Error('out of luck'), restart } });
  }
}

const follow = (
  world: CrashingClient,
  onFailure: (cause: Error) => void = () => undefined,
  options: Pick<TailOptions, 'whenReplaced'> = {},
): ReturnType<typeof tailTopic> =>
  tailTopic(
    world.client,
    world.admin,
    {
      topic: 'letters',
      from: 'start',
      onRecords: () => undefined,
      ...options,
      sessionTimeoutMillis: 10_000,
      isWritten: true,
      maxBytes: Infinity,
      onFailure,
    },
    silentLogger(),
  );

describe('a tail whose consumer crashes', () => {
  it('for good says so to the process, once; a crash that it outlives is no matter', async () => {
    const world = new CrashingClient(true);
    const told: string[] = [];
    await follow(world, ({ message }) => told.push(message));
    world.crash(true);
    expect(told).toEqual([]);
    world.crash(false);
    expect(told).toEqual(['letters is not followed any further: out of luck']);
  });

  it('for good leaves nobody waiting', async () => {
    const world = new CrashingClient(true);
    const tail = await follow(world);
    const waiting = [tail.caughtUp, tail.reached(0, 1)];
    world.crash(false);
    for (const wait of [...waiting, tail.sync(), tail.reached(0, 9)])
      await expect(wait).rejects.toThrow('letters is not followed any further: out of luck');
  });

  it('before it has joined cannot be opened', async () => {
    const world = new CrashingClient(false);
    const opening = follow(world);
    await new Promise(setImmediate);
    world.crash(false);
    await expect(opening).rejects.toMatchObject({ code: 'KafkaUnavailable' });
  });

  it('and starts over by itself keeps its waiters', async () => {
    const world = new CrashingClient(true);
    const tail = await follow(world);
    let settled = false;
    void tail.caughtUp.finally(() => (settled = true));
    world.crash(true);
    await new Promise(setImmediate);
    expect(settled).toBe(false);
  });

  it('reads on behind what it has seen when it joins again, and not from the start', async () => {
    const world = new CrashingClient(true);
    await follow(world);
    await world.deliver(1);
    world.crash(true);
    world.join();
    expect(world.sought).toEqual(['2']);
  });
});

describe('a tail whose topic was made anew', () => {
  it('begins again with the new log', async () => {
    const world = new CrashingClient(true);
    const told: Error[] = [];
    const tail = await follow(world, (cause) => told.push(cause));
    await world.deliver(7);
    await world.deliver(3);
    await tail.reached(0, 3);
    world.join();
    expect({ told, sought: world.sought }).toEqual({ told: [], sought: ['4'] });
  });

  it('ends, and says why, where the new log cannot be a continuation', async () => {
    const world = new CrashingClient(true);
    const told: string[] = [];
    const whenReplaced = (partition: number): Error => new Error(`partition ${partition} is another one`);
    const tail = await follow(world, ({ message }) => told.push(message), { whenReplaced });
    await world.deliver(7);
    await world.deliver(3);
    expect(told).toEqual(['partition 0 is another one']);
    await expect(tail.reached(0, 9)).rejects.toThrow('partition 0 is another one');
  });
});
