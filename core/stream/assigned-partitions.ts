import { type Deployments } from '../model/deployments';
import { type Logger } from '../platform/log';
import { AssignedPartition } from './assigned-partition';
import { type Forecaster } from './forecasts/forecaster';
import { type StreamMetrics } from './metrics';
import { type Claims } from './ownership/claims';
import { type DevicePasts } from './ownership/history-snapshots';
import { type Outbox } from './ownership/outbox';
import { PartitionOwner } from './ownership/partition-owner';

/** What owners of partitions work with. */
interface Parts {
  readonly claims: Claims;
  readonly pasts: DevicePasts;
  readonly deployments: Deployments;
  readonly outbox: Outbox;
  readonly metrics: StreamMetrics;
  readonly forecaster: Forecaster;
  readonly log: Logger;
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

  has(partition: number): boolean {
    return this.byNumber.has(partition);
  }

  /**
   * Drop the partitions that went to others, and acquire those that came.
   * @param onReady told each partition as soon as it can be read, and whether it was not here before.
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
        // Nobody claimed it since: the engine in memory is the partition's true state, and reading goes on where it was.
        if (before?.owner.isOwner !== true) before?.owner.drop();
        const kept = before?.owner.isOwner === true ? before : await this.acquire(number);
        onReady(kept, before === undefined);
      }),
    );
  }

  /** Claim a partition and take its engine over. */
  async acquire(partition: number): Promise<AssignedPartition> {
    const { claims, pasts, metrics, deployments, outbox, forecaster, log } = this.parts;
    const { epoch, log: partitionLog, engine, start } = await claims.claim(partition);
    metrics.claim();
    // What its log decided may name a version or a snapshot that has not come through to us yet.
    await Promise.all([deployments.sync(), pasts.sync()]);
    const owner = new PartitionOwner(
      {
        partition,
        epoch,
        engine,
        log: partitionLog,
        outbox,
        forecaster,
        inForce: () => deployments.inForce(),
        append: (key, message) => claims.append(partition, key, message),
        seedHistory: (seeded, snapshot) => {
          if (!pasts.seed(seeded, snapshot))
            log.error({ partition, snapshot }, 'the snapshot that the devices began with is gone');
        },
        latestSnapshot: () => pasts.latest(partition),
        onMalformed(detail) {
          metrics.malformed(detail);
        },
        onClosed(window) {
          metrics.rows('analysis', window.analysis.device_id.length);
          metrics.rows('evaluation', window.evaluations.device_id.length);
        },
        logger: log,
      },
      start,
    );
    const acquired = new AssignedPartition(owner);
    this.byNumber.set(partition, acquired);
    return acquired;
  }
}
