import { type GroupConsumer } from '../platform/kafka';
import { type AssignedPartition } from './assigned-partition';
import { type AssignedPartitions } from './assigned-partitions';
import { RECLAIM_AFTER_MS } from './limits';

/** The part of a group's member that this asks. */
type Member = Pick<GroupConsumer, 'heartbeatAt' | 'seek'>;

/**
 * Partitions that another claim has taken from this worker, while the group still gives them to it. A worker that was frozen can claim late,
 * above the rightful claim, and a forged claim has no worker behind it. The broker knows who has a partition: when it still accepts our
 * heartbeat, the partition is ours, and is claimed again, also where no event comes that would show the loss.
 */
export class Reclaims {
  /** When the loss was noticed, by partition, as `performance.now()` has it. */
  private readonly noticed = new Map<number, number>();
  private readonly running = new Map<number, Promise<void>>();
  private mine: ReadonlySet<number> = new Set();

  constructor(
    private readonly assigned: Pick<AssignedPartitions, 'all' | 'get' | 'acquire'>,
    private readonly topic: string,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The group has given this worker these partitions, and no others. */
  follow(partitions: readonly number[]): void {
    this.mine = new Set(partitions);
    for (const partition of this.noticed.keys())
      if (!this.mine.has(partition)) this.noticed.delete(partition);
  }

  /** Claim again what was lost so long ago that the broker has accepted a heartbeat since. */
  async look(member: Member): Promise<void> {
    for (const { number, owner } of this.assigned.all()) {
      if (owner.isOwner || !this.mine.has(number)) {
        this.noticed.delete(number);
        continue;
      }
      const since = this.noticed.get(number) ?? this.now();
      this.noticed.set(number, since);
      if (member.heartbeatAt() >= since + RECLAIM_AFTER_MS) await this.reclaim(number, member);
    }
  }

  /** Claim a partition again, unless that is done already, and read it from where its new owner begins. */
  reclaim(partition: number, member: Pick<Member, 'seek'>): Promise<void> {
    if (this.assigned.get(partition)?.owner.isOwner === true) return Promise.resolve();
    const running = this.running.get(partition) ?? this.acquire(partition, member);
    this.running.set(partition, running);
    return running;
  }

  private async acquire(partition: number, member: Pick<Member, 'seek'>): Promise<void> {
    const readOn = ({ owner }: AssignedPartition): void => {
      // Whom the group has given it meanwhile claims it too, later.
      if (this.mine.has(partition)) member.seek(this.topic, partition, owner.next);
      else owner.drop();
    };
    try {
      await this.assigned.acquire(partition, readOn);
    } finally {
      this.running.delete(partition);
      this.noticed.delete(partition);
    }
  }
}
