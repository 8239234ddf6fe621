import { SILENT_WINDOWS } from '../../contracts/readiness';
import { type StreamSettings } from '../../contracts/settings';
import { type Micros } from '../../contracts/time';

/** How far the times of partitions may lie apart, where nothing is wrong: late events are waited for, and a device may skip windows. */
export function patienceOf({
  task,
  watermarkMicros,
}: Pick<StreamSettings, 'task' | 'watermarkMicros'>): Micros {
  return watermarkMicros + SILENT_WINDOWS * task.windowMicros;
}

/**
 * Partitions whose times lie more than `patience` behind what at least half of them have reached (of two: behind the earlier one). Their devices' clocks
 * are ahead, or the others read a backlog.
 */
export function aheadOf(times: ReadonlyMap<number, Micros>, patience: Micros): ReadonlySet<number> {
  const inOrder = [...times.values()].sort((one, other) => one - other);
  const usual = inOrder[Math.max(0, inOrder.length - halfOf(inOrder.length))] ?? Infinity;
  return new Set([...times].flatMap(([partition, time]) => (time - usual > patience ? [partition] : [])));
}

function halfOf(partitions: number): number {
  return Math.max(2, Math.ceil(partitions / 2));
}

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
