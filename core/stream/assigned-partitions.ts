import { type Deployments } from '../model/deployments';
import { AssignedPartition } from './assigned-partition';
import { type StreamMetrics } from './metrics';
import { type Claims } from './ownership/claims';
import { type DevicePasts } from './ownership/history-snapshots';
import { type OwnerParts } from './ownership/owner-parts';
import { PartitionOwner } from './ownership/partition-owner';

interface Parts extends OwnerParts {
  readonly claims: Claims;
  readonly pasts: DevicePasts;
  readonly deployments: Deployments;
  readonly metrics: StreamMetrics;
}

/** The partitions that the group has given to this worker, each with its owner. */
export class AssignedPartitions {
  private readonly byNumber = new Map<number, AssignedPartition>();

  constructor(private readonly parts: Parts) {}

  all(): AssignedPartition[] {
    return [...this.byNumber.values()];
  }

  get(partition: number): AssignedPartition | undefined {
    return this.byNumber.get(partition);
  }

  /**
   * Drop the partitions that went to others, and acquire those that came.
   * @param onReady called with each partition as soon as it can be read, and whether it was not here before.
   */
  async assign(
    partitions: readonly number[],
    onReady: (partition: AssignedPartition, isNew: boolean) => void,
  ): Promise<void> {
    for (const { owner, number } of this.all()) {
      if (partitions.includes(number)) continue;
      owner.drop();
      this.byNumber.delete(number);
    }
    await this.parts.claims.catchUp();
    await Promise.all(
      partitions.map(async (number) => {
        const before = this.byNumber.get(number);
        // Without another claim since, the engine in memory is the partition's true state, and reading continues where it was.
        if (before?.owner.isOwner !== true) before?.owner.drop();
        const kept = before?.owner.isOwner === true ? before : await this.acquire(number);
        onReady(kept, before === undefined);
      }),
    );
  }

  /**
   * Claim a partition and take its engine over.
   * @param onAcquired called before it is handed out: nothing is read into it that was fetched for its predecessor.
   */
  async acquire(
    partition: number,
    onAcquired: (acquired: AssignedPartition) => void = () => undefined,
  ): Promise<AssignedPartition> {
    const { claims, pasts, metrics, deployments } = this.parts;
    const claim = await claims.claim(partition);
    metrics.claims.inc();
    metrics.checkpointsPassedOver.inc(claim.passedOver);
    // Its logged decisions may name a version or a snapshot that this process has not read yet.
    await Promise.all([deployments.sync(), pasts.sync()]);
    const acquired = new AssignedPartition(new PartitionOwner(claim, this.parts), this.parts, claim.logId);
    onAcquired(acquired);
    this.byNumber.set(partition, acquired);
    if (claim.gap !== undefined) await acquired.note(claim.gap);
    return acquired;
  }
}
