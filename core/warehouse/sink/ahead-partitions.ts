import { aheadOf, halfOf } from '../../contracts/partition-times';
import { type Micros } from '../../contracts/time';

/** With two partitions nobody knows which clock is right. */
const MIN_PARTITIONS = 3;

/**
 * Partitions that are ahead of the others while these deliver. When the others pause, whoever goes on gets ahead of them: that says nothing of
 * its clock, so what was known before holds until at least half of the partitions have delivered again.
 */
export class AheadPartitions {
  private readonly before = new Map<number, Micros>();
  private readonly delivered = new Set<number>();
  private ahead: ReadonlySet<number> = new Set();

  constructor(private readonly patience: Micros) {}

  /** @param bounds of every partition: windows that start before it are delivered. */
  among(bounds: ReadonlyMap<number, Micros>): ReadonlySet<number> {
    for (const [partition, before] of bounds) {
      // What was there at the start of this process says nothing of who delivers now.
      if ((this.before.get(partition) ?? before) !== before) this.delivered.add(partition);
      this.before.set(partition, before);
    }
    if (bounds.size >= MIN_PARTITIONS && this.delivered.size >= halfOf(bounds.size)) {
      this.ahead = aheadOf(bounds, this.patience);
      this.delivered.clear();
    }
    return this.ahead;
  }
}
