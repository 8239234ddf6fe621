import { z } from 'zod';
import { type CheckpointMessage, isPieceKey } from '../../../core/contracts/checkpoints';
import { versionIdSchema } from '../../../core/contracts/ids';
import { type DeployedVersion } from '../../../core/model/deployments';
import { type OutgoingMessage, type RawRecord } from '../../../core/platform/kafka';
import { silentLogger } from '../../../core/platform/log';
import { createMetrics } from '../../../core/platform/metrics';
import { streamMetrics } from '../../../core/stream/metrics';
import { PartitionLog } from '../../../core/stream/ownership/checkpoint-log';
import { PartitionEngine } from '../../../core/stream/engine';
import { Outbox } from '../../../core/stream/ownership/outbox';
import { PartitionOwner } from '../../../core/stream/ownership/partition-owner';
import { LogReplay } from '../../../core/stream/replay/replay-log';
import { type ClosedWindow } from '../../../core/stream/windows/rows';
import { restoreState } from '../../../core/stream/ownership/state-codec';
import { bytesOf, noChange, reading, SETTINGS, type TestEvent, WINDOW } from './support';

const V1 = versionIdSchema.parse('v1');
const V2 = versionIdSchema.parse('v2');
const METRICS = streamMetrics(createMetrics('stream'), () => [], {
  outbox: { isFull: false, pendingBytes: 0 },
  sinks: { isPaused: () => false, lagOf: () => 0 },
});

/** One partition's topics in memory, and owners that come and go. */
class World {
  readonly sent: { topic: string; message: OutgoingMessage }[] = [];
  readonly checkpointLog: { key: string; value: Buffer | null }[] = [];
  /** Everything that happened, in order. */
  readonly history: string[] = [];
  readonly source: RawRecord[] = [];
  inForce: DeployedVersion[] = [];
  private readonly logs: PartitionLog[] = [];

  write(event: TestEvent | string): void {
    this.source.push({
      offset: String(this.source.length),
      timestamp: '1000000',
      key: null,
      value: bytesOf(event),
    });
  }

  append(key: string, message: CheckpointMessage): number {
    this.history.push(message.type);
    return this.appendBytes(key, Buffer.from(JSON.stringify(message)));
  }

  /** What an owner sends of its state. */
  appendState(key: string, value: Buffer | null): void {
    this.history.push(value === null ? 'tombstone' : 'checkpoint');
    this.appendBytes(key, value);
  }

  private appendBytes(key: string, value: Buffer | null): number {
    const offset = this.checkpointLog.length;
    this.checkpointLog.push({ key, value });
    for (const log of this.logs) log.apply(offset, key, value);
    return offset;
  }

  settings = SETTINGS;

  readLog(): PartitionLog {
    const log = new PartitionLog();
    this.checkpointLog.forEach(({ key, value }, offset) => {
      log.apply(offset, key, value);
    });
    this.logs.push(log);
    return log;
  }

  /** A worker acquires the partition: claim, newest checkpoint, rewind. */
  acquire(worker: string): PartitionOwner {
    const hadOwner = this.checkpointLog.length > 0;
    const epoch = this.append(`claim/0/${worker}/1`, { type: 'claim', partition: 0, worker });
    const log = this.readLog();
    const engine = new PartitionEngine(0, this.settings);
    const stored = log.latestCheckpoint();
    const position = stored === undefined ? undefined : restoreState(engine, stored.data);
    return new PartitionOwner(
      {
        epoch,
        engine,
        passedOver: 0,
        log,
        gap: undefined,
        logId: '',
        highWatermark: this.source.length,
        start: {
          ...(position ?? { rewind: 0, next: 0, decisions_until: 0 }),
          decideFrom: hadOwner ? this.source.length : 0,
          seeded: position !== undefined,
        },
      },
      {
        outbox: new Outbox(
          {
            send: (topic, messages) => {
              for (const message of messages) {
                if (topic === 'stream-checkpoints') {
                  const { key, value } = message;
                  expect(isPieceKey(key ?? '')).toBe(true);
                  this.appendState(key ?? '', value === null ? null : Buffer.from(value));
                } else {
                  this.sent.push({ topic, message });
                  this.history.push(topic);
                }
              }
              return Promise.resolve([]);
            },
            disconnect: () => Promise.resolve(),
          },
          1e9,
          () => undefined,
        ),
        forecaster: noChange,
        deployments: { inForce: () => this.inForce },
        claims: { append: (key, message) => Promise.resolve(this.append(key, message)) },
        pasts: {
          latest: () => Promise.resolve('past'),
          seed: (engine, snapshot) => {
            if (snapshot === 'past') seedPast(engine);
            return true;
          },
        },
        metrics: METRICS,
        log: silentLogger(),
      },
    );
  }

  /** Rows as a sink keeps them: blocks of older epochs and places it has are dropped. */
  stored(topic: string): string[] {
    const rows: string[] = [];
    let mark = { epoch: -1, start: -Infinity, ordinal: -1 };
    for (const { message } of this.sent.filter((one) => one.topic === topic)) {
      const block = JSON.parse(String(message.value)) as {
        epoch: number;
        window_start: number;
        ordinal: number;
        columns: Record<string, unknown[]>;
      };
      if (block.epoch < mark.epoch) continue;
      const known =
        block.window_start < mark.start ||
        (block.window_start === mark.start && block.ordinal <= mark.ordinal);
      mark = { ...mark, epoch: block.epoch };
      if (known) continue;
      mark = { epoch: block.epoch, start: block.window_start, ordinal: block.ordinal };
      rows.push(...rowsOf(block.window_start, block.columns));
    }
    return rows;
  }

  /** Rows of a topic in the order they were written. */
  everSent(topic: string): string[] {
    const blocks = this.sent.filter((one) => one.topic === topic);
    return blocks.flatMap(({ message }) => {
      const block = JSON.parse(String(message.value)) as {
        window_start: number;
        columns?: Record<string, unknown[]>;
      };
      return rowsOf(block.window_start, block.columns ?? {});
    });
  }

  /** The rows that event log and decisions alone lead to. */
  async truth(): Promise<{ analysis: string[]; evaluations: string[] }> {
    const closed: ClosedWindow[] = [];
    const replay = new LogReplay({
      engine: new PartitionEngine(0, this.settings),
      decisions: this.readLog().decisions,
      forecaster: noChange,
      seedHistory: (engine, snapshot) => {
        if (snapshot === 'past') seedPast(engine);
      },
    });
    const records = this.source.map(({ offset, timestamp, value }) => ({
      offset: Number(offset),
      timestampMillis: Number(timestamp),
      value,
    }));
    for await (const window of replay.ingest(records)) closed.push(window);
    for await (const window of replay.end()) closed.push(window);
    return {
      analysis: closed.flatMap(({ start, analysis }) => rowsOf(start, analysis)),
      evaluations: closed.flatMap(({ start, evaluations }) => rowsOf(start, evaluations)),
    };
  }
}

function seedPast(engine: PartitionEngine): void {
  const past = Array.from({ length: 24 }, (_, i) => i / 10);
  for (const device of ['a', 'b'])
    engine.seed(device, -WINDOW, { target: past, covariates: [past, past], stddev: null });
}

function rowsOf(start: number, columns: Record<string, unknown[]>): string[] {
  return (columns['device_id'] ?? []).map((_, i) =>
    JSON.stringify([start, ...Object.values(columns).map((column) => column[i])]),
  );
}

function deployed(version: typeof V1, trainedUntil: number | null = null): DeployedVersion {
  // Only what an owner looks at.
  return {
    version,
    model: { metadata: { residualStddev: 0.5 } },
    message: { lineage: { data_until: trainedUntil, adapters: true } },
    stage: { not_before: null },
  } as unknown as DeployedVersion;
}

/** Two devices, every five seconds, from second `from` to `until`. */
function play(world: World, from: number, until: number): void {
  for (let at = from; at < until; at += 5) {
    world.write(reading('a', at, Math.sin(at)));
    world.write(reading('b', at + 1, Math.cos(at)));
  }
}

const ingest = (owner: PartitionOwner, world: World, from = 0, until = Infinity): Promise<void> =>
  owner.run(() => {
    const records = world.source.slice(from, until);
    return owner.ingest(records, Number(records.at(-1)?.offset ?? -1) + 1);
  });

describe('the owner of a partition', () => {
  it('logs a version before it writes a row under it, and history before it reads an event', async () => {
    const world = new World();
    world.inForce = [deployed(V1)];
    const owner = world.acquire('w1');
    await owner.run(() => owner.followVersions());
    play(world, 0, 200);
    await ingest(owner, world);
    expect(world.history.slice(0, 3)).toEqual(['claim', 'activation', 'history']);
    expect(world.history.indexOf('model-evaluations')).toBeGreaterThan(2);
    const { analysis, evaluations } = await world.truth();
    expect(world.stored('stream-analysis-results')).toEqual(analysis);
    expect(world.stored('model-evaluations')).toEqual(evaluations);
    expect(evaluations.length).toBeGreaterThan(6);
    expect(world.readLog().decisions[0]?.decision).toMatchObject({ type: 'activation', adapters: 'ridge' });
  });

  it('puts no version in force on windows that it was trained on, in a partition that has read nothing yet', async () => {
    const world = new World();
    world.inForce = [deployed(V1, 50 * WINDOW)];
    const owner = world.acquire('w1');
    await owner.run(() => owner.followVersions());
    expect(world.readLog().decisions).toMatchObject([{ decision: { from_window: 51 * WINDOW } }]);
  });

  it('sends blocks before the checkpoint that counts them as written', async () => {
    const world = new World();
    const owner = world.acquire('w1');
    play(world, 0, 200);
    await ingest(owner, world);
    expect(owner.checkpointDue).toBe(true);
    await owner.run(async () => {
      await owner.checkpoint();
    });
    expect(owner.checkpointDue).toBe(false);
    expect(world.history.lastIndexOf('stream-analysis-results')).toBeLessThan(
      world.history.indexOf('checkpoint'),
    );
  });

  it('leaves its predecessor’s checkpoint alone until its own is known to hold', async () => {
    const world = new World();
    const first = world.acquire('w1');
    play(world, 0, 200);
    await ingest(first, world);
    await first.run(async () => {
      await first.checkpoint();
    });
    const frozen = world.acquire('w2');
    play(world, 200, 300);
    await ingest(frozen, world, frozen.next);
    // Its checkpoint comes too late: somebody else has claimed the partition while it was frozen.
    const written = frozen.run(async () => {
      world.append('claim/0/w3/1', { type: 'claim', partition: 0, worker: 'w3' });
      await frozen.checkpoint();
    });
    await written;
    expect(world.readLog().latestCheckpoint()).toMatchObject({ epoch: 0 });

    const third = world.acquire('w3');
    play(world, 300, 400);
    await ingest(third, world, third.next);
    for (let again = 0; again < 2; again += 1) {
      await third.run(async () => {
        await third.checkpoint();
      });
    }
    expect(world.readLog().keysOfPiecesBefore(third.epoch)).toEqual([]);
  });

  it('continues where another stopped, from its checkpoint, with the same rows', async () => {
    const world = new World();
    world.inForce = [deployed(V1)];
    const first = world.acquire('w1');
    await first.run(() => first.followVersions());
    play(world, 0, 200);
    await ingest(first, world, 0, 50);
    await first.run(async () => {
      await first.checkpoint();
    });
    // These blocks are written, but the worker dies before its next checkpoint.
    await ingest(first, world, 50);
    const second = world.acquire('w2');
    expect(second.next).toBeLessThan(50);
    await ingest(second, world, second.next);
    play(world, 200, 400);
    await ingest(second, world, 80);
    const { analysis, evaluations } = await world.truth();
    expect(world.stored('stream-analysis-results')).toEqual(analysis);
    expect(world.stored('model-evaluations')).toEqual(evaluations);
    expect(second.engine.counts.read).toBe(world.source.length);
  });

  it('starts from the first event where there is no checkpoint, under the logged decisions', async () => {
    const world = new World();
    const first = world.acquire('w1');
    play(world, 0, 100);
    await ingest(first, world);
    world.inForce = [deployed(V1)];
    await first.run(() => first.followVersions());
    await first.run(() => first.closeIdle());
    const second = world.acquire('w2');
    play(world, 100, 300);
    await ingest(second, world);
    const { analysis, evaluations } = await world.truth();
    expect(world.stored('stream-analysis-results')).toEqual(analysis);
    expect(world.stored('model-evaluations')).toEqual(evaluations);
    expect(evaluations.length).toBeGreaterThan(2);
  });

  it('hands events aside over to its successor, which refuses them with their bytes and place', async () => {
    const world = new World();
    const first = world.acquire('w1');
    play(world, 0, 150);
    const lie = reading('fast', 1_020);
    world.write(lie);
    play(world, 150, 300);
    await ingest(first, world);
    await first.run(async () => {
      await first.checkpoint();
    });
    const second = world.acquire('w2');
    play(world, 300, 935);
    await ingest(second, world, second.next);
    await Promise.resolve();
    const rejects = world.sent.filter(({ topic }) => topic === 'edge-iiot-rejects');
    expect(rejects).toHaveLength(1);
    const { message } = rejects[0]!;
    expect(message).toMatchObject({ key: '0/60', headers: { reason: 'future', 'source-offset': '60' } });
    expect(Buffer.from(message.value!)).toEqual(bytesOf(lie));
    expect(second.engine.counts).toMatchObject({ read: world.source.length, future: 1, late: 0 });
    expect(world.stored('stream-analysis-results')).toEqual((await world.truth()).analysis);
  });

  it('believes an event aside when the partition is quiet and its time has come, and logs up to when', async () => {
    const world = new World();
    const first = world.acquire('w1');
    play(world, 0, 200);
    world.write(reading('b', 900));
    await ingest(first, world);
    const lastEnd = 900 * 1_000_000;
    expect(first.isIdleClosingDue(-Infinity)).toBe(true);
    await first.run(() => first.closeIdle(lastEnd - 1));
    expect(first.engine.ahead.waiting).toBe(1);
    expect(first.isIdleClosingDue(lastEnd - 1)).toBe(false);
    await first.run(() => first.closeIdle(lastEnd));
    expect(first.engine.ahead.waiting).toBe(0);
    expect(world.history.filter((one) => one === 'idle')).toHaveLength(2);
    const second = world.acquire('w2');
    play(world, 900, 1_020);
    await ingest(second, world);
    expect(second.engine.counts).toMatchObject({ late: 0, read: world.source.length });
    expect(world.stored('stream-analysis-results')).toEqual((await world.truth()).analysis);
  });

  it('decides nothing new before it has read what its predecessor may have read', async () => {
    const world = new World();
    world.acquire('w1');
    play(world, 0, 100);
    const second = world.acquire('w2');
    world.inForce = [deployed(V1)];
    await ingest(second, world, 0, 20);
    await second.run(() => second.followVersions());
    expect(world.history).not.toContain('activation');
    await ingest(second, world, 20);
    await second.run(() => second.followVersions());
    expect(world.history).toContain('activation');
  });

  it('lags by all that stood in the partition when it was claimed, until it has read that', async () => {
    const world = new World();
    play(world, 0, 100);
    const owner = world.acquire('w1');
    expect(owner.lag).toBe(world.source.length);
    await ingest(owner, world);
    expect(owner.lag).toBe(0);
  });

  it('closes idle windows only after logging it, once, and never while it lags', async () => {
    const world = new World();
    const owner = world.acquire('w1');
    play(world, 0, 70);
    await ingest(owner, world);
    owner.highWatermark = world.source.length + 1;
    await owner.run(() => owner.closeIdle());
    expect(world.history).not.toContain('idle');
    owner.highWatermark = world.source.length;
    await owner.run(() => owner.closeIdle());
    await owner.run(() => owner.closeIdle());
    await Promise.resolve();
    expect(world.history.filter((one) => one === 'idle')).toHaveLength(1);
    expect(world.history.indexOf('idle')).toBeLessThan(world.history.indexOf('stream-analysis-results'));
  });

  it('sets the watermark back when asked, behind a fence and a checkpoint, and answers once', async () => {
    const world = new World();
    // One clock can move the time by itself.
    world.settings = { ...SETTINGS, clockQuorum: 1 };
    const owner = world.acquire('w1');
    play(world, 0, 200);
    world.write(reading('far', 900));
    await ingest(owner, world);
    const { closedUntil, latestEvent } = owner.engine;
    const ask = (request: string, to: number, closed_until: number): void => {
      world.append(request, { type: 'reset-request', partition: 0, request, to, closed_until });
    };
    ask('moved on', 300 * 1e6, closedUntil - WINDOW);
    await owner.run(() => owner.followResets());
    expect(owner.engine.latestEvent).toBe(latestEvent);
    ask('good', 300 * 1e6, closedUntil);
    await owner.run(() => owner.followResets());
    await owner.run(() => owner.followResets());
    expect(owner.engine).toMatchObject({ latestEvent: 300 * 1e6, closedUntil: 300 * 1e6 });
    expect(world.history.filter((one) => one === 'watermark')).toHaveLength(2);
    expect(world.history.slice(world.history.lastIndexOf('watermark') + 1)).toEqual([
      'stream-analysis-results',
      'model-evaluations',
      'checkpoint',
    ]);
    const successor = world.acquire('w2');
    expect(successor.engine).toMatchObject({ latestEvent: 300 * 1e6, closedUntil: 300 * 1e6 });
    await successor.run(() => successor.followResets());
    expect(world.history.filter((one) => one === 'watermark')).toHaveLength(2);
  });

  it('scores versions after the watermark was set back as a replay of the log does, whatever was decided of them later', async () => {
    const world = new World();
    world.settings = { ...SETTINGS, clockQuorum: 1, futureMicros: 1_000 * WINDOW };
    const owner = world.acquire('w1');
    const playAndFollow = async (from: number, until: number): Promise<void> => {
      const known = world.source.length;
      play(world, from, until);
      await ingest(owner, world, known);
      await owner.run(() => owner.followVersions());
    };
    world.inForce = [deployed(V1)];
    await playAndFollow(0, 200);
    world.write(reading('far', 3_600));
    await ingest(owner, world, world.source.length - 1);
    const { closedUntil } = owner.engine;
    const request = { type: 'reset-request', partition: 0, request: 'good' } as const;
    world.append('good', { ...request, to: 300 * 1e6, closed_until: closedUntil });
    await owner.run(() => owner.followResets());
    expect(owner.engine.latestEvent).toBe(300 * 1e6);
    // Both lie before the windows that the wrong clock had closed.
    await playAndFollow(300, 1_400);
    world.inForce = [deployed(V2)];
    await playAndFollow(1_400, 1_700);
    await playAndFollow(1_700, 2_200);
    expect(world.history.filter((one) => one.endsWith('activation'))).toHaveLength(3);

    const { evaluations } = await world.truth();
    expect(world.everSent('model-evaluations')).toEqual(evaluations);
    for (const version of [V1, V2])
      expect(evaluations.filter((row) => row.includes(`"${version}"`)).length).toBeGreaterThan(0);
  });

  it('that was frozen and has lost the partition does no more work, and what it decides is void', async () => {
    const world = new World();
    const zombie = world.acquire('w1');
    play(world, 0, 200);
    await ingest(zombie, world, 0, 20);
    const owner = world.acquire('w2');
    await ingest(owner, world, 0, 60);

    // The zombie's own view of the log lags behind: it still believes that it owns the partition.
    const before = world.sent.length;
    await ingest(zombie, world, 20);
    expect(zombie.isOwner).toBe(false);
    expect(world.sent).toHaveLength(before);
    await ingest(owner, world, 60);
    const { analysis } = await world.truth();
    expect(world.stored('stream-analysis-results')).toEqual(analysis);
  });

  it('gives up the partition when a decision turns out to come after another claim', async () => {
    const world = new World();
    const zombie = world.acquire('w1');
    play(world, 0, 100);
    await ingest(zombie, world);
    world.inForce = [deployed(V1)];
    await zombie.run(async () => {
      // Between looking and writing, somebody else claims.
      world.append('claim/0/w2/1', { type: 'claim', partition: 0, worker: 'w2' });
      await zombie.followVersions();
    });
    expect(zombie.isOwner).toBe(false);
    expect(zombie.engine.inForce).toEqual([]);
    expect(world.readLog().decisions.map(({ decision }) => decision.type)).toEqual(['history']);
  });

  it('rejects with reason, place and raw bytes, cut where they are huge', async () => {
    const world = new World();
    const owner = world.acquire('w1');
    world.write('garbage');
    world.write('x'.repeat(700_000));
    await ingest(owner, world);
    await Promise.resolve();
    await Promise.resolve();
    const rejects = world.sent.map(({ message }) => message);
    expect(rejects[0]).toMatchObject({
      key: '0/0',
      partition: 0,
      headers: {
        reason: 'malformed',
        'source-partition': '0',
        'source-offset': '0',
        detail: 'not-json',
        size: '7',
      },
    });
    expect(String(rejects[0]!.value)).toBe('garbage');
    // A broker refuses a record that is stamped too far from its clock, whatever the event was.
    expect(rejects[0]).not.toHaveProperty('timestampMillis');
    expect(rejects[0]).toMatchObject({ headers: { 'source-timestamp': '1000000' } });
    expect(rejects[1]).toMatchObject({ headers: { detail: 'too-large', size: '700000' } });
    expect(rejects[1]!.value).toHaveLength(512 * 1024);
  });

  it('numbers what it refuses without a gap, and what an owner after it writes again as before', async () => {
    const world = new World();
    const first = world.acquire('w1');
    const playSome = (from: number): void => {
      play(world, from, from + 100);
      world.write('garbage');
      world.write(reading('a', from, 1));
      // Waits for other devices to confirm it, and none does.
      world.write(reading('ahead', from + 400, 1));
      world.write('garbage');
    };
    playSome(100);
    await ingest(first, world);
    await first.run(async () => {
      await first.checkpoint();
    });
    playSome(200);
    // These rejects are written, but the worker dies before its next checkpoint.
    await ingest(first, world);
    const second = world.acquire('w2');
    playSome(300);
    play(world, 800, 990);
    await ingest(second, world, second.next);
    await second.run(async () => {
      await second.checkpoint();
    });
    const numbers = new Map<string, Set<string>>();
    for (const { message, topic } of world.sent) {
      if (topic !== 'edge-iiot-rejects') continue;
      const { number } = z.object({ number: z.string() }).parse(message.headers);
      numbers.set(number, (numbers.get(number) ?? new Set()).add(message.key ?? ''));
    }
    const { late, duplicate, malformed, future, read, windowed } = second.engine.counts;
    expect({ late, duplicate, malformed, future }).toEqual({
      late: 3,
      duplicate: 0,
      malformed: 6,
      future: 0,
    });
    expect([...numbers.keys()]).toEqual(Array.from({ length: read - windowed }, (_, at) => String(at + 1)));
    expect([...numbers.values()].map(({ size }) => size)).toEqual(Array(read - windowed).fill(1));
  });
});

it('counts what went before it was read once, however often it is told, and reads on behind it', async () => {
  const owner = new World().acquire('one');
  const told = [
    [0, 5],
    [0, 5],
    [3, 7],
    [9, 12],
    [6, 20],
  ] as const;
  const counted: number[] = [];
  for (const [from, until] of told) counted.push(await owner.passOver({ kind: 'expired', from, until }));
  expect({ counted, next: owner.next }).toEqual({ counted: [5, 0, 2, 3, 10], next: 20 });
});
