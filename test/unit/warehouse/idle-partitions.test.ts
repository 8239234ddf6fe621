import { SILENT_WINDOWS } from '../../../core/contracts/readiness';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { silentLogger } from '../../../core/platform/log';
import { AheadPartitions } from '../../../core/warehouse/sink/ahead-partitions';
import { IdlePartitions } from '../../../core/warehouse/sink/idle-partitions';

const { task, watermarkMicros } = DEFAULT_STREAM_SETTINGS;
const WINDOW = task.windowMicros;
const PATIENCE = watermarkMicros + SILENT_WINDOWS * WINDOW;
const SECOND_MS = 1_000;
const PATIENCE_MS = PATIENCE / 1_000;
const DAY = 86_400_000_000;
const LOOK_MS = 10 * SECOND_MS;

/** Partitions of a fleet, and what its stream workers have read of them. */
class World {
  now = 0;
  bounds = new Map<number, number>();
  high = new Map<number, number>();
  committed = new Map<number, number>();
  /** What the tables have not stored of a partition's results. */
  unstored = new Map<number, number>();
  looks = 0;
  isAway = false;
  readonly idle = new IdlePartitions({
    kafka: {
      offsets: () => {
        this.looks += 1;
        if (this.isAway) throw new Error('no broker answers');
        return Promise.resolve([...this.high].map(([partition, high]) => ({ partition, low: 0, high })));
      },
      committed: () =>
        Promise.resolve(
          [...this.committed].map(([partition, offset]) => ({ partition, offset, isOurs: true })),
        ),
    },
    eventTopic: 'events',
    settings: DEFAULT_STREAM_SETTINGS,
    log: silentLogger(),
    ahead: new AheadPartitions(PATIENCE, () => Promise.resolve(), new Set()),
    sink: {
      nextOffset: (_topic, partition) =>
        (this.high.get(partition) ?? 0) - (this.unstored.get(partition) ?? 0),
    },
    now: () => this.now,
  });

  constructor(partitions: number) {
    for (let partition = 0; partition < partitions; partition += 1) this.deliver(partition, 0);
  }

  /** An event of this time comes, is read, and its window delivered. */
  deliver(partition: number, time: number): void {
    const high = (this.high.get(partition) ?? 0) + 1;
    this.high.set(partition, high);
    this.committed.set(partition, high);
    this.bounds.set(partition, time);
  }

  /** Live time passes, in which these partitions go on. @returns which are idle by then. */
  async pass(millis: number, going: Readonly<Record<number, number>>): Promise<readonly number[]> {
    let idle: ReadonlySet<number> = new Set();
    for (const end = this.now + millis; this.now < end;) {
      this.now += LOOK_MS;
      for (const [partition, offset] of Object.entries(going))
        this.deliver(Number(partition), this.now * 1_000 + offset);
      idle = await this.idle.among(this.bounds);
    }
    return [...idle];
  }
}

describe('a partition whose clocks are ahead', () => {
  const AHEAD = 11 * 3_600_000_000;

  it('does not say how far the fleet is while all others pause', async () => {
    const world = new World(4);
    const fleet = { 0: 0, 1: 0, 2: 0 };
    expect(await world.pass(PATIENCE_MS, { ...fleet, 3: AHEAD })).toEqual([]);
    expect(await world.pass(5 * PATIENCE_MS, { 3: AHEAD })).toEqual([]);
    expect(await world.pass(PATIENCE_MS, { ...fleet, 3: AHEAD })).toEqual([]);
  });

  it('holds up nothing while most go on, and none of those that are silent either', async () => {
    const world = new World(4);
    expect(await world.pass(3 * PATIENCE_MS, { 0: 0, 1: 0, 3: AHEAD })).toEqual([2]);
  });

  it('is not one that goes on alone: it was like the others as long as they delivered', async () => {
    const world = new World(4);
    await world.pass(PATIENCE_MS, { 0: 0, 1: 0, 2: 0, 3: 0 });
    expect(await world.pass(3 * PATIENCE_MS, { 3: 0 })).toEqual([0, 1, 2]);
  });
});

describe('a partition whose devices are all silent', () => {
  it('is waited for as long as late events and silent devices are, then no more', async () => {
    const world = new World(3);
    expect(await world.pass(PATIENCE_MS, { 0: 0, 1: 0 })).toEqual([]);
    expect(await world.pass(2 * 60 * SECOND_MS, { 0: 0, 1: 0 })).toEqual([2]);
  });

  it('is waited for again once it delivers', async () => {
    const world = new World(2);
    expect(await world.pass(2 * PATIENCE_MS, { 0: 0 })).toEqual([1]);
    expect(await world.pass(LOOK_MS, { 0: 0, 1: 0 })).toEqual([]);
  });

  it('is waited for while something in its log is not read: its worker is away, or catches up', async () => {
    const world = new World(2);
    world.high.set(1, 500);
    expect(await world.pass(10 * PATIENCE_MS, { 0: 0 })).toEqual([]);
    world.committed.set(1, 500);
    expect(await world.pass(LOOK_MS, { 0: 0 })).toEqual([1]);
  });

  it('is waited for while the tables do not have all that was read of it: they are filled anew', async () => {
    const world = new World(2);
    world.unstored.set(1, 1);
    expect(await world.pass(10 * PATIENCE_MS, { 0: 0 })).toEqual([]);
    world.unstored.clear();
    expect(await world.pass(LOOK_MS, { 0: 0 })).toEqual([1]);
  });

  it('is waited for while the broker does not say what was read', async () => {
    const world = new World(2);
    world.isAway = true;
    expect(await world.pass(2 * PATIENCE_MS, { 0: 0 })).toEqual([]);
  });

  it('holds up nobody where the others are silent as well', async () => {
    const world = new World(2);
    await world.pass(PATIENCE_MS + LOOK_MS, { 0: 0 });
    expect(await world.pass(2 * PATIENCE_MS, {})).toEqual([1]);
  });
});

describe('a partition that goes on', () => {
  it('is waited for, hours behind the others', async () => {
    expect(await new World(3).pass(10 * PATIENCE_MS, { 0: 0, 1: 0, 2: -DAY / 4 })).toEqual([]);
  });

  it('is idle with the times of another day: a clock that was never set', async () => {
    expect(await new World(3).pass(10 * 60 * SECOND_MS, { 0: 0, 1: 0, 2: -20 * DAY })).toEqual([2]);
  });

  it('is waited for where another one has a clock that is ahead', async () => {
    expect(await new World(2).pass(10 * PATIENCE_MS, { 0: 0, 1: 3 * DAY })).toEqual([]);
    expect(await new World(5).pass(10 * PATIENCE_MS, { 0: 0, 1: 0, 2: 0, 3: 0, 4: 3 * DAY })).toEqual([]);
  });
});

it('asks the broker nothing while no partition is far behind', async () => {
  const world = new World(2);
  expect(await world.pass(10 * PATIENCE_MS, { 0: 0, 1: -PATIENCE / 2 })).toEqual([]);
  expect(world.looks).toBe(0);
});
