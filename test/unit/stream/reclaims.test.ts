import { type AssignedPartition } from '../../../core/stream/assigned-partition';
import { RECLAIM_AFTER_MS } from '../../../core/stream/limits';
import { Reclaims } from '../../../core/stream/reclaims';

/** A worker with one partition, whose clock and heartbeats the test moves. */
class Worker {
  now = 0;
  acceptedAt = -Infinity;
  readonly owners: { isOwner: boolean; next: number; drop: () => void }[] = [];
  readonly seeks: number[] = [];
  private current: AssignedPartition;
  readonly reclaims: Reclaims;

  constructor() {
    this.current = this.owned(10);
    const assigned = {
      all: () => [this.current],
      get: () => this.current,
      acquire: async (_: number, onAcquired?: (acquired: AssignedPartition) => void) => {
        await Promise.resolve();
        const acquired = this.owned(4);
        onAcquired?.(acquired);
        this.current = acquired;
        return acquired;
      },
    };
    this.reclaims = new Reclaims(assigned, 'events', () => this.now);
  }

  private owned(next: number): AssignedPartition {
    const owner = { isOwner: true, next, drop: () => void (owner.isOwner = false) };
    this.owners.push(owner);
    return { number: 0, owner } as unknown as AssignedPartition;
  }

  lose(): void {
    for (const owner of this.owners) owner.isOwner = false;
  }

  readonly member = {
    heartbeatAt: () => this.acceptedAt,
    seek: (_topic: string, _partition: number, offset: number) => void this.seeks.push(offset),
  };

  look(): Promise<void> {
    return this.reclaims.look(this.member);
  }
}

describe('a partition that another claim has taken', () => {
  it('is claimed again without any event, once the broker has accepted a heartbeat after the loss', async () => {
    const worker = new Worker();
    worker.reclaims.follow([0]);
    worker.acceptedAt = 5;
    worker.now = 10;
    worker.lose();
    await worker.look();
    worker.now = 60_000;
    await worker.look();
    expect(worker.owners).toHaveLength(1);

    worker.acceptedAt = 10 + RECLAIM_AFTER_MS;
    await worker.look();
    expect(worker.owners).toHaveLength(2);
    expect(worker.seeks).toEqual([4]);
    await worker.look();
    expect(worker.owners).toHaveLength(2);
  });

  it('is left to whom the group has given it', async () => {
    const worker = new Worker();
    worker.reclaims.follow([0]);
    worker.lose();
    await worker.look();
    worker.reclaims.follow([1]);
    worker.now = 60_000;
    worker.acceptedAt = 60_000;
    await worker.look();
    expect(worker.owners).toHaveLength(1);
  });

  it('is given up again where the group takes it away while it is claimed', async () => {
    const worker = new Worker();
    worker.reclaims.follow([0]);
    worker.lose();
    const claimed = worker.reclaims.reclaim(0, worker.member);
    worker.reclaims.follow([]);
    await claimed;
    expect(worker.seeks).toEqual([]);
    expect(worker.owners.map(({ isOwner }) => isOwner)).toEqual([false, false]);
  });

  it('is claimed once where an event and the clock show the loss together', async () => {
    const worker = new Worker();
    worker.reclaims.follow([0]);
    worker.lose();
    await Promise.all([worker.reclaims.reclaim(0, worker.member), worker.reclaims.reclaim(0, worker.member)]);
    expect(worker.owners).toHaveLength(2);
  });
});
